//! The profile of an adopted room: from its state; a room without a name is named by its members, as in other
//! clients.

use crate::{
    domain::{message::People, name, room::Profile, user::User},
    port::RoomSummary,
    sync::adopt::Adopt,
};

/// Most members in the name of a room that has none of its own.
const NAMED_MEMBERS_MAX: usize = 4;

impl Adopt {
    /// Returns the profile under which a room is adopted. `users` are its members of this tenant.
    pub(crate) fn profile(&self, summary: &RoomSummary, people: &People, users: &[&User]) -> Profile {
        let creator = users.iter().find(|user| self.ids.of(user) == summary.made_by);
        let name = legible(summary.name.as_deref());
        Profile {
            name: name.or_else(|| Some(self.name_by_members(summary, people))),
            topic: legible(summary.topic.as_deref()),
            created_by: creator.map(|user| user.id().clone()),
            members: users.iter().map(|user| user.id().clone()).collect(),
            marks: summary.marks,
        }
    }

    /// Returns a name made of all members: a room has the same name for each reader.
    fn name_by_members(&self, summary: &RoomSummary, people: &People) -> String {
        let bot = self.ids.bot();
        let others = summary.people.iter().filter(|person| person.id != bot);
        let mut names: Vec<_> = others.map(|person| people.name(&person.id)).collect();
        names.sort_unstable();
        let is_truncated = names.len() > NAMED_MEMBERS_MAX;
        names.truncate(NAMED_MEMBERS_MAX);
        let names = names.join(", ");
        if is_truncated { format!("{names}, …") } else { names }
    }
}

/// Returns the text without illegible characters; `None` if nothing is left of it.
fn legible(text: Option<&str>) -> Option<String> {
    text.map(name::legible).filter(|text| !text.is_empty())
}
