//! The administration of a tenant, for its administrators.
//!
//! ```text
//! GET /api/v1/admin/audit?actor=&action=&subject=&before=&limit=   the acts of administrators
//! ```

mod audit;

use messenger_runtime::Routes;

/// The routes of this function.
pub fn routes() -> Routes {
    Routes::new("Administration", "The administration of a tenant, for its administrators")
        .declare(audit::operation())
}
