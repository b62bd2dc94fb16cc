//! The administration of a tenant, for its administrators.
//!
//! ```text
//! GET    /api/v1/admin/audit?actor=&action=&subject=&before=&limit=       the acts of administrators
//! GET    /api/v1/admin/users?q=&role=&account=&external=&cursor=&limit=   the users of the tenant
//! GET    /api/v1/admin/users/{id}                                         one of them
//! PATCH  /api/v1/admin/users/{id} {display_name}                          gives another name
//! POST   /api/v1/admin/users/{id}/external-access {enabled}               other Matrix clients
//! POST   /api/v1/admin/users/{id}/logout                                  logs out everywhere
//! GET    /api/v1/admin/rooms?q=&type=&cursor=&limit=                      the rooms of the tenant
//! GET    /api/v1/admin/rooms/{id}/members                                 the members of a room
//! DELETE /api/v1/admin/rooms/{id}                                         closes a room
//! GET    /api/v1/admin/stats                                              the figures of the tenant
//! GET    /api/v1/admin/tenants                                            the tenants of the administrator
//! GET    /api/v1/admin/apps                                               the apps that have sent notifications
//! GET    /api/v1/admin/notifications?app=&status=&text=&…                 finds notifications, also as CSV
//! POST   /api/v1/admin/notifications/retry, /cancel                       changes all of a filter
//! GET    /api/v1/admin/notifications/{id}/deliveries                      attempts to deliver, and recipients
//! POST   /api/v1/admin/notifications/{id}/retry, /cancel                  changes one
//! GET    /api/v1/admin/held                                               messages to users who never signed in
//! POST   /api/v1/admin/notifications/{id}/readdress                       moves one of them to another user
//! POST   /api/v1/admin/test-notification                                  sends a test
//! GET    /api/v1/licenses/{rust,frontend,python,system}                   software of others
//! ```

mod audit;
mod choices;
mod licenses;
mod notifications;
mod page;
mod rooms;
mod statistics;
mod users;

use messenger_runtime::Routes;

/// Returns the routes of this function.
pub fn routes() -> Routes {
    let routes = Routes::new("Administration", "The administration of a tenant, for its administrators")
        .declare(audit::operation())
        .declare(rooms::list_operation())
        .declare(rooms::members_operation())
        .declare(rooms::close_operation())
        .declare(statistics::operation())
        .declare(choices::tenants_operation())
        .declare(choices::apps_operation());
    let routes = users::operations().into_iter().fold(routes, Routes::declare);
    notifications::declare(routes).merge(licenses::routes())
}
