//! The routes of this function, with their description.

use messenger_core::{alarm::ActKind, event::payload::Alarm};
use messenger_runtime::{
    Routes,
    alarms::{act, act_on_alarm, comment, of_alarm},
    openapi::{Caller, Operation, ResponseObject, code},
};

use crate::{
    acknowledge, add_comment, journal, list, one, request, resolve,
    response::{Alarms, Journal},
    unacknowledge,
};

/// Returns the routes of this function.
pub fn routes() -> Routes {
    let routes = Routes::new("Alarms", "One object for each fault, with its journal and acts of users")
        .declare(
            Operation::get(
                "/api/v1/alarms",
                list,
                "listAlarms",
                "Returns alarms of the tenant, the latest beginning first",
            )
            .caller(Caller::User)
            .query(request::page)
            .answer(ResponseObject::json::<Alarms>(200, "A page of the alarms.")),
        )
        .declare(
            of_alarm(Operation::get("/api/v1/alarms/{id}", one, "getAlarm", "Returns one alarm"))
                .answer(ResponseObject::json::<Alarm>(200, "The alarm.")),
        )
        .declare(
            of_alarm(Operation::get(
                "/api/v1/alarms/{id}/journal",
                journal,
                "getAlarmJournal",
                "Returns the journal of an alarm, newest entry first",
            ))
            .query(request::journal)
            .answer(ResponseObject::json::<Journal>(200, "A page of the journal.")),
        );
    acts(routes)
}

/// Declares the acts of users.
fn acts(routes: Routes) -> Routes {
    routes
        .declare(
            act_on_alarm(Operation::post(
                "/api/v1/alarms/{id}/ack",
                acknowledge,
                "acknowledgeAlarm",
                "Acknowledges an alarm",
            ))
            .optional_json(|fields| act(ActKind::Acknowledge, fields)),
        )
        .declare(
            act_on_alarm(Operation::post(
                "/api/v1/alarms/{id}/unack",
                unacknowledge,
                "unacknowledgeAlarm",
                "Withdraws the acknowledgement of an alarm",
            ))
            .optional_json(|fields| act(ActKind::Unacknowledge, fields))
            .refuses(&[code::NOT_ACKNOWLEDGED]),
        )
        .declare(
            act_on_alarm(Operation::post(
                "/api/v1/alarms/{id}/resolve",
                resolve,
                "resolveAlarm",
                "Reports that the fault of an alarm is over",
            ))
            .optional_json(|fields| act(ActKind::Resolve, fields)),
        )
        .declare(
            act_on_alarm(Operation::post(
                "/api/v1/alarms/{id}/comment",
                add_comment,
                "commentAlarm",
                "Adds a comment to an alarm",
            ))
            .json(comment),
        )
}
