//! Reading notifications back, as satellites do.

use messenger_core::{
    Ports, Result,
    notification::{Draft, LogQuery, NewNotification, Satellite},
};

use super::{Store, accept};
use crate::fixtures::{OTHER_TENANT, TENANT, draft, entry, satellite, titles};

const ALL: LogQuery = LogQuery { source_app: None, limit: 100, offset: 0 };

async fn with_five(store: &dyn Store) -> Result<Ports> {
    let ports = store.ports();
    for (n, app) in ["a", "b", "a", "A", "a"].into_iter().enumerate() {
        let draft = Draft { source_app: app.to_owned(), ..draft(&n.to_string()) };
        accept(&ports, entry(draft)).await?;
    }
    let foreign = Satellite { tenant: OTHER_TENANT, ..satellite() };
    accept(&ports, NewNotification { satellite: foreign, ..entry(draft("foreign")) }).await?;
    Ok(ports)
}

/// Newest first, of this tenant only.
pub async fn the_log_lists_a_tenants_newest_first(store: &dyn Store) -> Result<()> {
    let ports = with_five(store).await?;
    assert_eq!(titles(&ports.notifications.log(TENANT, &ALL).await?), ["4", "3", "2", "1", "0"]);
    assert_eq!(titles(&ports.notifications.log(OTHER_TENANT, &ALL).await?), ["foreign"]);
    Ok(())
}

/// Of one app, exactly.
pub async fn the_log_of_one_app(store: &dyn Store) -> Result<()> {
    let ports = with_five(store).await?;
    for (app, expected) in [("a", vec!["4", "2", "0"]), ("A", vec!["3"]), ("%", vec![]), ("", vec![])] {
        let query = LogQuery { source_app: Some(app.to_owned()), ..ALL };
        assert_eq!(titles(&ports.notifications.log(TENANT, &query).await?), expected, "{app}");
    }
    Ok(())
}

/// Page by page.
pub async fn the_log_is_read_page_by_page(store: &dyn Store) -> Result<()> {
    let ports = with_five(store).await?;
    for (offset, expected) in [(0, vec!["4", "3"]), (2, vec!["2", "1"]), (4, vec!["0"]), (6, vec![])] {
        let query = LogQuery { limit: 2, offset, ..ALL };
        assert_eq!(titles(&ports.notifications.log(TENANT, &query).await?), expected);
    }
    let app = LogQuery { source_app: Some("a".to_owned()), limit: 1, offset: 1 };
    assert_eq!(titles(&ports.notifications.log(TENANT, &app).await?), ["2"]);
    Ok(())
}

/// A notification is found in its tenant only.
pub async fn a_notification_is_found_in_its_tenant_only(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    let (stored, _) = accept(&ports, entry(draft("x"))).await?;
    assert_eq!(ports.notifications.find(OTHER_TENANT, stored.id).await?, None);
    let unknown = messenger_core::id::NotificationId(stored.id.0 + 1);
    assert_eq!(ports.notifications.find(TENANT, unknown).await?, None);
    assert_eq!(ports.notifications.find(TENANT, stored.id).await?, Some(stored));
    Ok(())
}

/// An installation has one name, which fits into a Matrix transaction id.
pub async fn an_installation_has_one_name(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    let name = ports.notifications.installation().await?;
    assert_eq!(ports.notifications.installation().await?, name);
    assert!(name.len() >= 16 && name.len() <= 64, "{name}");
    assert!(name.chars().all(|c| c.is_ascii_alphanumeric()), "{name}");
    Ok(())
}
