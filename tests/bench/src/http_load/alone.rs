//! What needs no homeserver. Its stack has no worker: nobody delivers what is only to be stored.
use anyhow::Result;

use super::endpoint::{Callers, Endpoint};
use super::subject::{Subject, Wanted};
use super::{Side, appservice, notifications, people, rooms};
use crate::inserts::{self, Inserts};
use crate::options::Http;
use crate::stack::{self, Stack};

const PROBES: [Endpoint; 2] = [Endpoint::new("livez", "GET /livez"), Endpoint::new("readyz", "GET /readyz")];
const TABLES: [&[Endpoint]; 7] = [
    &people::KNOWN,
    &people::STRANGERS,
    &[notifications::STORE],
    &notifications::READ,
    &PROBES,
    &rooms::THERE_ALREADY,
    &appservice::PUSHED,
];

/// `None`: nothing of it is wanted.
pub(super) async fn side(options: &Http, wanted: &Wanted) -> Result<Option<Side>> {
    let of_stack =
        wanted.is(inserts::BY_PGBENCH) || rooms::LISTS.iter().any(|rooms| wanted.is(&rooms::list(*rooms)));
    if !of_stack && !TABLES.iter().any(|table| wanted.any(table)) {
        return Ok(None);
    }
    let (door, stack) = options.deployment.door(&options.common, false).await?;
    let tokens = people::signed_in(&door).await?;
    let mut subjects = people::loads(&door, wanted, &tokens)?;
    subjects.extend(notifications::loads(&door, wanted).await?);
    subjects.extend(wanted.of(&PROBES, &Callers::strangers(&door)));
    let mut side = Side { door, stack, subjects };
    if let Some(stack) = &side.stack {
        let more = of_our_own(&side, stack, wanted, &tokens[0]).await?;
        side.subjects.extend(more);
    }
    Ok(Some(side))
}

/// What is measured on rows that are written past the service.
async fn of_our_own(side: &Side, stack: &Stack, wanted: &Wanted, token: &str) -> Result<Vec<Subject>> {
    let (door, database) = (&side.door, stack.database());
    let team = rooms::make(database).await?;
    let mut subjects = rooms::lists(door, database, wanted).await?;
    subjects.extend(wanted.of(&rooms::THERE_ALREADY, &rooms::inside(door, token, team)));
    subjects.extend(appservice::loads(door, wanted, team));
    if wanted.is(inserts::BY_PGBENCH) {
        subjects.push(Subject::inserts(Inserts::into(database, &stack::place()?).await?));
    }
    Ok(subjects)
}
