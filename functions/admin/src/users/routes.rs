//! The operations on users, with their description.

use messenger_runtime::{
    fields::SMALL_BODY_MAX,
    if_match,
    openapi::{Caller, Operation, ResponseObject, code},
};
use serde_json::json;

use crate::page::NEXT_CURSOR;

use super::{find, list, log_out, rename, request, response::User, set_external_access};

const USER: &str = "/api/v1/admin/users/{id}";

/// Declares the operations.
pub(crate) fn operations() -> [Operation; 5] {
    const EXTERNAL_ACCESS: &str = "/api/v1/admin/users/{id}/external-access";
    const LOGOUT: &str = "/api/v1/admin/users/{id}/logout";
    let (external, logout) = ("Enables or disables other Matrix clients", "Logs a user out everywhere");
    let page = ResponseObject::json::<Vec<User>>(200, "A page of users, by name.").optional_header(
        NEXT_CURSOR,
        json!({ "type": "string" }),
        "The `cursor` of the next page; absent on the last one.",
    );
    [
        Operation::get("/api/v1/admin/users", list, "listTenantUsers", "Lists the users of a tenant")
            .caller(Caller::Administrator)
            .query(request::list)
            .answer(page),
        Operation::get(USER, find, "getTenantUser", "Returns a user of a tenant")
            .caller(Caller::Administrator)
            .answer(one()),
        act(Operation::patch(USER, rename, "renameUser", "Gives a user another display name"))
            .json(request::name)
            .body_limit(SMALL_BODY_MAX),
        act(Operation::post(EXTERNAL_ACCESS, set_external_access, "setExternalAccess", external))
            .json(request::enabled)
            .body_limit(SMALL_BODY_MAX),
        act(Operation::post(LOGOUT, log_out, "logUserOut", logout)),
    ]
}

/// Adds the description that all acts on a user share.
fn act(operation: Operation) -> Operation {
    let tags = "Entity tags of the versions that may be changed; without it any.";
    operation
        .caller(Caller::Administrator)
        .parameter("header", "If-Match", if_match::schema(), tags)
        .answer(one())
        .refuses(&[code::VERSION_MISMATCH])
}

fn one() -> ResponseObject {
    ResponseObject::json::<User>(200, "The user.").header(
        "ETag",
        if_match::schema(),
        "The version, in quotes.",
    )
}
