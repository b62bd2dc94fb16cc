//! The search for users by name and id.

use messenger_core::{
    Ports, Result,
    user::{Identity, UserQuery},
};

use super::Store;
use crate::fixtures::{OTHER_TENANT, TENANT, identity, query, user};

async fn with_users(store: &dyn Store, users: &[(&str, &str)]) -> Result<Ports> {
    let ports = store.ports();
    for (id, name) in users {
        let identity = Identity { display_name: (*name).to_owned(), ..identity(id) };
        ports.users.sign_in(&identity, &format!("l.{id}")).await?;
    }
    Ok(ports)
}

async fn found(ports: &Ports, text: &str) -> Result<Vec<String>> {
    let found = ports.users.search(TENANT, &query(text)).await?;
    Ok(found.into_iter().map(|user| user.display_name).collect())
}

/// Case, accents and ß are ignored, in the query and in the name.
pub async fn case_accents_and_sharp_s_are_ignored(store: &dyn Store) -> Result<()> {
    let ports = with_users(store, &[("1", "Jörg Weiß"), ("2", "JOSÉ Strasser")]).await?;
    for text in ["jörg", "JORG", "weiss", "WEISS", "weiß", "WEIẞ", "Jörg", "rg we"] {
        assert_eq!(found(&ports, text).await?, ["Jörg Weiß"], "{text}");
    }
    for text in ["jose", "José", "straß", "STRASS"] {
        assert_eq!(found(&ports, text).await?, ["JOSÉ Strasser"], "{text}");
    }
    assert_eq!(found(&ports, "joerg").await?, [""; 0]);
    Ok(())
}

/// The text is searched in the name and in the id.
pub async fn names_and_ids_are_searched(store: &dyn Store) -> Result<()> {
    let ports = with_users(store, &[("Emp-4711", "Anna"), ("Emp-0815", "Bert")]).await?;
    assert_eq!(found(&ports, "4711").await?, ["Anna"]);
    assert_eq!(found(&ports, "emp-0").await?, ["Bert"]);
    assert_eq!(found(&ports, "nn").await?, ["Anna"]);
    assert_eq!(found(&ports, "nobody").await?, [""; 0]);
    Ok(())
}

/// An empty text finds all users, sorted by name.
pub async fn an_empty_text_finds_all_users_by_name(store: &dyn Store) -> Result<()> {
    let ports = with_users(store, &[("1", "Dora"), ("2", "anna"), ("3", "Cäsar"), ("4", "Bert")]).await?;
    assert_eq!(found(&ports, "").await?, ["anna", "Bert", "Cäsar", "Dora"]);
    Ok(())
}

/// Names that begin with the text come first, then ids that do, then all others that contain it.
pub async fn prefix_matches_come_first(store: &dyn Store) -> Result<()> {
    let users = [
        ("1", "Zora Max"),
        ("maxine", "Maxine"),
        ("3", "Bert Maxwell"),
        ("4", "max"),
        ("maximal", "Anna"),
        ("maxi", "Xaver"),
        ("mini-max", "Cara"),
    ];
    let ports = with_users(store, &users).await?;
    assert_eq!(
        found(&ports, "max").await?,
        ["max", "Maxine", "Xaver", "Anna", "Bert Maxwell", "Cara", "Zora Max"]
    );
    Ok(())
}

/// The caller is left out, and no other user.
pub async fn the_caller_is_left_out(store: &dyn Store) -> Result<()> {
    let ports = with_users(store, &[("mueller", "Max Müller"), ("Mueller", "Mia Müller")]).await?;
    assert_eq!(found(&ports, "").await?, ["Mia Müller"]);
    assert_eq!(found(&ports, "müller").await?, ["Mia Müller"]);
    Ok(())
}

/// Wildcards of the database are plain characters.
pub async fn wildcards_are_plain_characters(store: &dyn Store) -> Result<()> {
    let names =
        [("1", "100% Anna"), ("2", "under_score"), ("3", "back\\slash"), ("4", "O'Neil"), ("5", "a*b?")];
    let ports = with_users(store, &names).await?;
    for (text, name) in [("%", "100% Anna"), ("_", "under_score"), ("\\", "back\\slash"), ("'", "O'Neil")] {
        assert_eq!(found(&ports, text).await?, [name], "{text}");
    }
    assert_eq!(found(&ports, "*").await?, ["a*b?"]);
    assert_eq!(found(&ports, "0% a").await?, ["100% Anna"]);
    assert_eq!(found(&ports, "u%e").await?, [""; 0]);
    assert_eq!(found(&ports, "ann_").await?, [""; 0]);
    Ok(())
}

/// The limit is respected, and the best matches are kept.
pub async fn the_limit_is_respected(store: &dyn Store) -> Result<()> {
    let ports = with_users(store, &[("1", "Zora Anna"), ("2", "Anna"), ("3", "Anne")]).await?;
    let first = UserQuery { limit: 2, ..query("ann") };
    let found: Vec<_> = ports.users.search(TENANT, &first).await?;
    let names: Vec<_> = found.iter().map(|user| user.display_name.as_str()).collect();
    assert_eq!(names, ["Anna", "Anne"]);
    Ok(())
}

/// Users of another tenant are never found; a user who moved is found in the new tenant.
pub async fn users_of_other_tenants_are_never_found(store: &dyn Store) -> Result<()> {
    let ports = with_users(store, &[("1", "Anna"), ("2", "Bert")]).await?;
    let moved = Identity { tenant: OTHER_TENANT, display_name: "Bert".to_owned(), ..identity("2") };
    ports.users.sign_in(&moved, "l.2").await?;
    assert_eq!(found(&ports, "").await?, ["Anna"]);
    assert_eq!(found(&ports, "bert").await?, [""; 0]);
    let in_other_tenant = ports.users.search(OTHER_TENANT, &query("")).await?;
    assert_eq!(in_other_tenant.iter().map(|one| one.hub_user_id.clone()).collect::<Vec<_>>(), [user("2")]);
    Ok(())
}

/// A user is found by their present name only.
pub async fn a_changed_name_is_found(store: &dyn Store) -> Result<()> {
    let ports = with_users(store, &[("1", "Anna Alt"), ("1", "Anna Neu")]).await?;
    assert_eq!(found(&ports, "neu").await?, ["Anna Neu"]);
    assert_eq!(found(&ports, "alt").await?, [""; 0]);
    Ok(())
}
