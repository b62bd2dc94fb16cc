//! `/api/v1/admin/notifications`: finds notifications, and retries, cancels, readdresses and tests them.

mod acts;
mod bulk;
mod csv;
mod filter;
mod held;
mod list;
mod response;

use messenger_runtime::Routes;

/// Declares the operations.
pub(crate) fn declare(routes: Routes) -> Routes {
    routes
        .declare(list::operation())
        .declare(bulk::retry_operation())
        .declare(bulk::cancel_operation())
        .declare(acts::deliveries_operation())
        .declare(acts::retry_operation())
        .declare(acts::cancel_operation())
        .declare(held::readdress_operation())
        .declare(held::operation())
        .declare(acts::test_operation())
}
