//! The routes of this function, with their description.

use messenger_runtime::{
    Routes,
    fields::SMALL_BODY_MAX,
    openapi::{
        Caller, Operation, ResponseObject,
        code::{self, HOMESERVER, REFUSED_BY_HOMESERVER, ROOM},
    },
};

use crate::{
    create, directory, invite, join, leave, list, members, mute, open_dm, read, request,
    response::{Listed, Member, Room, Rooms},
    typing, unmute,
};

/// Returns the routes of this function.
pub fn routes() -> Routes {
    let routes = Routes::new("Rooms", "Rooms of a user: list, directory and membership")
        .declare(
            Operation::get(
                "/api/v1/rooms",
                list,
                "listRooms",
                "Returns the caller's rooms, latest activity first",
            )
            .caller(Caller::User)
            .answer(ResponseObject::json::<Rooms<Room>>(200, "The joined rooms.")),
        )
        .declare(
            bringing_in(Operation::post("/api/v1/rooms", create, "createRoom", "Creates a private room"))
                .json(request::creation)
                .answer(ResponseObject::json::<Room>(201, "The new room."))
                .refuses(&[code::READ_ONLY_ROLE, code::UNKNOWN_USER]),
        )
        .declare(
            Operation::get(
                "/api/v1/rooms/directory",
                directory,
                "searchDirectory",
                "Returns entity and service rooms of the tenant",
            )
            .caller(Caller::User)
            .query(request::search)
            .answer(ResponseObject::json::<Rooms<Listed>>(200, "A page of the directory.")),
        )
        .declare(
            bringing_in(Operation::post(
                "/api/v1/rooms/dm/{hub_user_id}",
                open_dm,
                "openDirectChat",
                "Opens the direct chat with a user",
            ))
            .answer(ResponseObject::json::<Room>(200, "The one chat of the two."))
            .refuses(&[code::READ_ONLY_ROLE, code::INVALID_REQUEST, code::ROOM_CLOSED])
            .refuses(ROOM),
        );
    own_view(membership(routes))
}

/// Declares the operations on the members of a room.
fn membership(routes: Routes) -> Routes {
    routes
        .declare(
            bringing_in(Operation::post("/api/v1/rooms/{id}/join", join, "joinRoom", "Joins a room"))
                .answer(ResponseObject::json::<Room>(200, "The room."))
                .refuses(ROOM),
        )
        .declare(
            bringing_in(Operation::post(
                "/api/v1/rooms/{id}/invite",
                invite,
                "inviteUser",
                "Adds a user, at once",
            ))
            .json(request::invited)
            .body_limit(SMALL_BODY_MAX)
            .answer(ResponseObject::json::<Member>(200, "The new member."))
            .refuses(&[code::READ_ONLY_ROLE, code::ROOM_IS_DIRECT, code::UNKNOWN_USER])
            .refuses(ROOM),
        )
        .declare(
            Operation::get(
                "/api/v1/rooms/{id}/members",
                members,
                "listMembers",
                "Returns the members by name",
            )
            .caller(Caller::User)
            .answer(ResponseObject::json::<Vec<Member>>(200, "The members."))
            .refuses(ROOM),
        )
        .declare(
            Operation::post("/api/v1/rooms/{id}/leave", leave, "leaveRoom", "Leaves a room")
                .caller(Caller::User)
                .answer(ResponseObject::empty(204, "The caller is no member any more."))
                .refuses(&[code::ROOM_CANNOT_BE_LEFT])
                .refuses(ROOM),
        )
}

/// Declares the caller's own view of a room.
fn own_view(routes: Routes) -> Routes {
    routes
        .declare(
            Operation::post("/api/v1/rooms/{id}/read", read, "markRead", "Marks all messages as read")
                .caller(Caller::User)
                .answer(ResponseObject::empty(204, "All of it is read, on all devices."))
                .refuses(ROOM),
        )
        .declare(
            Operation::put("/api/v1/rooms/{id}/mute", mute, "muteRoom", "Switches the sounds of a room off")
                .caller(Caller::User)
                .answer(ResponseObject::empty(204, "They are off, on all devices."))
                .refuses(ROOM),
        )
        .declare(
            Operation::delete(
                "/api/v1/rooms/{id}/mute",
                unmute,
                "unmuteRoom",
                "Switches the sounds of a room on",
            )
            .caller(Caller::User)
            .answer(ResponseObject::empty(204, "They are on, on all devices."))
            .refuses(ROOM),
        )
        .declare(
            Operation::post(
                "/api/v1/rooms/{id}/typing",
                typing,
                "setTyping",
                "Tells the members that the caller types, or has stopped",
            )
            .caller(Caller::User)
            .json(request::typing)
            .body_limit(SMALL_BODY_MAX)
            .answer(ResponseObject::empty(204, "The homeserver knows it."))
            .refuses(&[code::READ_ONLY_ROLE, code::ROOM_ENCRYPTED])
            .refuses(ROOM)
            .refuses(REFUSED_BY_HOMESERVER)
            .refuses(HOMESERVER),
        )
}

/// Declares the caller and the problems of an operation that brings a user into a room.
fn bringing_in(operation: Operation) -> Operation {
    operation
        .caller(Caller::User)
        .refuses(REFUSED_BY_HOMESERVER)
        .refuses(&[code::MATRIX_ACCOUNT_TAKEN])
        .refuses(HOMESERVER)
}
