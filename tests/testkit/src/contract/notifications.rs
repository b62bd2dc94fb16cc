//! The log of notifications that satellites read.

use messenger_core::{
    Ports, Result,
    notification::{Draft, LogQuery, NewNotification, Satellite},
};

use super::{Store, accept};
use crate::fixtures::{OTHER_TENANT, TENANT, draft, new_notification, satellite, titles};

const ALL: LogQuery = LogQuery { source_app: None, limit: 100, offset: 0 };

async fn with_five(store: &dyn Store) -> Result<Ports> {
    let ports = store.ports();
    for (n, app) in ["a", "b", "a", "A", "a"].into_iter().enumerate() {
        let draft = Draft { source_app: app.to_owned(), ..draft(&n.to_string()) };
        accept(&ports, new_notification(draft)).await?;
    }
    let foreign = Satellite { tenant: OTHER_TENANT, ..satellite() };
    accept(&ports, NewNotification { satellite: foreign, ..new_notification(draft("foreign")) }).await?;
    Ok(ports)
}

/// The log lists the notifications of this tenant only, newest first.
pub async fn the_log_lists_the_notifications_of_a_tenant_newest_first(store: &dyn Store) -> Result<()> {
    let ports = with_five(store).await?;
    assert_eq!(titles(&ports.notifications.log(TENANT, &ALL).await?), ["4", "3", "2", "1", "0"]);
    assert_eq!(titles(&ports.notifications.log(OTHER_TENANT, &ALL).await?), ["foreign"]);
    Ok(())
}

/// The log of an app lists its notifications only; the name is compared exactly.
pub async fn the_log_can_be_limited_to_one_app(store: &dyn Store) -> Result<()> {
    let ports = with_five(store).await?;
    for (app, expected) in [("a", vec!["4", "2", "0"]), ("A", vec!["3"]), ("%", vec![]), ("", vec![])] {
        let query = LogQuery { source_app: Some(app.to_owned()), ..ALL };
        assert_eq!(titles(&ports.notifications.log(TENANT, &query).await?), expected, "{app}");
    }
    Ok(())
}

/// The log is read page by page.
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
    let (stored, _) = accept(&ports, new_notification(draft("x"))).await?;
    assert_eq!(ports.notifications.find(OTHER_TENANT, stored.id).await?, None);
    let unknown = messenger_core::id::NotificationId(stored.id.0 + 1);
    assert_eq!(ports.notifications.find(TENANT, unknown).await?, None);
    assert_eq!(ports.notifications.find(TENANT, stored.id).await?, Some(stored));
    Ok(())
}

/// An installation has one id, which fits into a Matrix transaction id.
pub async fn an_installation_has_one_id(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    let id = ports.notifications.installation().await?;
    assert_eq!(ports.notifications.installation().await?, id);
    assert!(id.len() >= 16 && id.len() <= 64, "{id}");
    assert!(id.chars().all(|c| c.is_ascii_alphanumeric()), "{id}");
    Ok(())
}
