//! The notices that the bot sends into rooms. German comes first, because most readers speak it.

use serde_json::{Value, json};

use crate::domain::id::RoomId;

/// The notice for a room in which a member has enabled encryption.
pub(crate) const ENCRYPTED: &str = "Dieser Raum ist ab jetzt verschlüsselt. Neue Nachrichten erscheinen nicht mehr in der \
    Hub-Anwendung, und von dort kann niemand mehr hierher schreiben. Wer alle erreichen will, legt bitte einen neuen, \
    unverschlüsselten Raum an.\n\n\
    This room is encrypted from now on. New messages do not appear in the Hub application any more, and nobody can write \
    here from there. To reach everybody, please create a new room without encryption.";

/// Returns the notice for an encrypted chat whose partner cannot read it. `plain` is their chat without
/// encryption.
pub(crate) fn unread_chat(partner: &str, plain: &RoomId) -> String {
    let link = link(plain);
    format!(
        "Dieser Chat ist verschlüsselt und erreicht {partner} nicht: {partner} liest nur in der Hub-Anwendung. Bitte hier \
         weiterschreiben: {link}\n\n\
         This chat is encrypted and does not reach {partner}, who reads in the Hub application only. Please go on here: {link}"
    )
}

/// Returns the notice for an encrypted room in which these users cannot read.
pub(crate) fn unread_room(names: &str) -> String {
    format!(
        "Dieser Raum ist verschlüsselt und erreicht nicht alle: Nur in der Hub-Anwendung lesen {names}. Bitte einen \
         unverschlüsselten Raum anlegen.\n\n\
         This room is encrypted and does not reach everybody: {names} read in the Hub application only. Please create a \
         room without encryption."
    )
}

/// Returns the notice for the chat without encryption, after `opener` has opened an encrypted one.
pub(crate) fn plain_chat(opener: &str) -> String {
    format!(
        "{opener} hat einen verschlüsselten Chat begonnen, der in der Hub-Anwendung nicht gelesen werden kann. Bitte hier \
         weiterschreiben.\n\n\
         {opener} began an encrypted chat, which cannot be read in the Hub application. Please go on here."
    )
}

/// Returns the notice for a user with the role `viewer` who acts on an alarm.
pub(crate) fn only_reads(name: &str) -> String {
    format!(
        "{name} darf Alarme nur lesen: Die Rolle im Hub erlaubt weder Quittieren noch Kommentare.\n\n\
         {name} may only read alarms: the role in the Hub allows neither acknowledgements nor comments."
    )
}

/// Returns the notice for a user who acts on the message of an earlier episode.
pub(crate) fn episode_over(name: &str) -> String {
    format!(
        "{name}: Das war eine frühere Störung. Bitte auf die neueste Meldung des Alarms antworten.\n\n\
         {name}: that was an earlier fault. Please reply to the latest message of the alarm."
    )
}

/// Returns the content of `m.room.message`. Its type `m.notice` makes no phone ring.
pub(crate) fn content(body: &str) -> Value {
    json!({ "msgtype": "m.notice", "body": body })
}

/// Returns the `matrix.to` URI of a room (Matrix specification, appendix "matrix.to navigation").
fn link(room: &RoomId) -> String {
    format!("https://matrix.to/#/{room}")
}
