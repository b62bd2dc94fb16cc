//! The cursors that are kept for readers.

use messenger_core::{Result, id::Position};

use super::Store;
use crate::fixtures::{OTHER_TENANT, TENANT, identity, user};

/// Nobody has read yet.
pub async fn a_reader_that_never_read_has_no_cursor(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    ports.users.sign_in(&identity("anna"), "anna").await?;
    assert_eq!(ports.cursors.load(TENANT, &user("anna"), "").await?, None);
    Ok(())
}

/// What was stored last is where the reader stands.
pub async fn a_cursor_is_where_it_was_put_last(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    ports.users.sign_in(&identity("anna"), "anna").await?;
    for position in [0, 7, 7, i64::MAX, 3] {
        ports.cursors.store(TENANT, &user("anna"), "tab", Position(position)).await?;
        assert_eq!(ports.cursors.load(TENANT, &user("anna"), "tab").await?, Some(Position(position)));
    }
    Ok(())
}

/// Readers, users and tenants do not share cursors.
pub async fn each_reader_of_each_user_has_a_cursor_of_its_own(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    let readers = ["", "tab", "Tab", "tab ", "täb"];
    let mut expected = Vec::new();
    for tenant in [TENANT, OTHER_TENANT] {
        for name in ["anna", "bert"] {
            for reader in readers {
                let position = Position(i64::try_from(expected.len()).unwrap());
                ports.cursors.store(tenant, &user(name), reader, position).await?;
                expected.push((tenant, name, reader, position));
            }
        }
    }
    for (tenant, name, reader, position) in expected {
        assert_eq!(ports.cursors.load(tenant, &user(name), reader).await?, Some(position), "{name} {reader}");
    }
    Ok(())
}

/// Requests of one reader that arrive together do not fail.
pub async fn one_reader_may_store_in_parallel(store: &dyn Store) -> Result<()> {
    let cursors = store.ports().cursors;
    super::together(20, |n| {
        let cursors = cursors.clone();
        async move { cursors.store(TENANT, &user("anna"), "", Position(i64::try_from(n).unwrap())).await }
    })
    .await?;
    assert!(cursors.load(TENANT, &user("anna"), "").await?.is_some());
    Ok(())
}
