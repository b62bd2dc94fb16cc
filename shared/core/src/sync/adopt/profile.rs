//! What people see of an adopted room: what its state says, and in a room without a name who is in it, as other clients
//! show it.

use crate::{
    domain::{message::People, name, room::Profile, user::User},
    port::RoomSummary,
    sync::adopt::Adopt,
};

/// How many people a room without a name is called by.
const NAMED_BY: usize = 4;

impl Adopt {
    pub(crate) fn profile(&self, summary: &RoomSummary, people: &People, users: &[&User]) -> Profile {
        let maker = users.iter().find(|user| self.ids.of(user) == summary.made_by);
        let name = legible(summary.name.as_deref());
        Profile {
            name: name.or_else(|| Some(self.named_by_people(summary, people))),
            topic: legible(summary.topic.as_deref()),
            created_by: maker.map(|user| user.id().clone()),
            members: users.iter().map(|user| user.id().clone()).collect(),
            marks: summary.marks,
        }
    }

    /// Everybody, since a room has one name for all who look at it.
    fn named_by_people(&self, summary: &RoomSummary, people: &People) -> String {
        let bot = self.ids.bot();
        let others = summary.people.iter().filter(|person| person.id != bot);
        let mut names: Vec<_> = others.map(|person| people.name(&person.id)).collect();
        names.sort_unstable();
        let is_more = names.len() > NAMED_BY;
        names.truncate(NAMED_BY);
        let names = names.join(", ");
        if is_more { format!("{names}, …") } else { names }
    }
}

fn legible(text: Option<&str>) -> Option<String> {
    text.map(name::legible).filter(|text| !text.is_empty())
}
