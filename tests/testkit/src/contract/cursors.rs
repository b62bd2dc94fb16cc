//! The stored cursors of polling readers.

use messenger_core::{Result, id::Position};

use super::Store;
use crate::fixtures::{OTHER_TENANT, TENANT, identity, user};

/// A reader that never stored a cursor has none.
pub async fn a_new_reader_has_no_cursor(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    ports.users.sign_in(&identity("anna"), "anna").await?;
    assert_eq!(ports.cursors.load(TENANT, &user("anna"), "").await?, None);
    Ok(())
}

/// The cursor that was stored last is loaded.
pub async fn the_last_stored_cursor_is_loaded(store: &dyn Store) -> Result<()> {
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

/// Concurrent requests of one reader all succeed.
pub async fn a_reader_may_store_cursors_concurrently(store: &dyn Store) -> Result<()> {
    let cursors = store.ports().cursors;
    super::concurrently(20, |n| {
        let cursors = cursors.clone();
        async move { cursors.store(TENANT, &user("anna"), "", Position(i64::try_from(n).unwrap())).await }
    })
    .await?;
    assert!(cursors.load(TENANT, &user("anna"), "").await?.is_some());
    Ok(())
}
