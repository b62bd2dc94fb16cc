//! Names on the homeserver: two users or rooms never share one.

use std::collections::HashMap;

use messenger_core::{
    id::{HubUserId, TenantId, localpart},
    room::{RoomKey, RoomKind},
};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};

const RESERVED: [&str; 5] = ["messenger", "conduit", "server", "m", "a"];
/// Characters with a meaning in the encoding, and similar ones.
const SPECIAL: [&str; 16] = ["a", "A", "m", "M", "_", "=", ".", "-", "/", "%", ":", "0", "h", "ä", "🏭", " "];

/// Assigned names; assigning one name to two things fails.
struct Names<T>(HashMap<String, T>);

impl<T: PartialEq + std::fmt::Debug> Names<T> {
    fn new() -> Self {
        Self(HashMap::new())
    }

    fn assign(&mut self, name: String, thing: T) {
        if let Some(other) = self.0.get(&name) {
            assert_eq!(*other, thing, "both are called {name}");
        } else {
            self.0.insert(name, thing);
        }
    }
}

/// Returns all texts of up to three special characters, and many longer ones.
fn texts() -> Vec<String> {
    let mut texts = vec![String::new()];
    let mut shorter = texts.clone();
    for _ in 0..3 {
        shorter = shorter.iter().flat_map(|text| SPECIAL.map(|c| format!("{text}{c}"))).collect();
        texts.extend(shorter.iter().cloned());
    }
    let mut random = StdRng::seed_from_u64(7);
    for _ in 0..1000 {
        let length = random.random_range(1..=255);
        texts.push((0..length).map(|_| SPECIAL[random.random_range(0..SPECIAL.len())]).collect());
    }
    for _ in 0..1000 {
        let length = random.random_range(1..40);
        texts.push((0..length).map(|_| random.random::<char>()).collect());
    }
    texts
}

fn name(user: &str) -> String {
    localpart(&HubUserId::new(user), &RESERVED)
}

#[test]
fn no_two_users_share_an_account() {
    let mut names = Names::new();
    for user in texts().into_iter().filter(|text| !text.is_empty()) {
        names.assign(name(&user), user);
    }
    for reserved in RESERVED {
        names.assign(name(reserved), reserved.to_owned());
        // User names that look like the escapes of reserved and of long names.
        for look_alike in [name(reserved), format!("=h{}", "0".repeat(64)), format!("={reserved}")] {
            names.assign(name(&look_alike), look_alike);
        }
    }
}

#[test]
fn an_account_is_a_valid_localpart() {
    for user in texts().into_iter().filter(|text| !text.is_empty()) {
        let name = name(&user);
        let valid = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._=-/".contains(c);
        assert!(name.chars().all(valid), "{user} became {name}");
        assert!(!name.is_empty() && name.len() <= 180, "{user} became {name}");
        assert!(!RESERVED.contains(&name.as_str()), "{user} became {name}");
    }
}

#[test]
fn plain_names_stay_as_they_are_and_others_are_legible() {
    for plain in ["mueller", "max.mueller-2", "4711", "hubadmin2"] {
        assert_eq!(name(plain), plain);
    }
    let mapped =
        [("Max", "_max"), ("max_m", "max__m"), ("müller", "m=c3=bcller"), ("a@b", "a=40b"), ("=", "=3d")];
    for (user, expected) in mapped {
        assert_eq!(name(user), expected);
    }
    assert_eq!(name("messenger"), "=6dessenger");
    assert_eq!(name("Messenger"), "_messenger");
}

#[test]
fn long_names_become_digests_that_differ() {
    let longest = "x".repeat(180);
    assert_eq!(name(&longest), longest);
    let mut names = Names::new();
    for length in 181..=255 {
        for last in ["x", "y"] {
            let user = format!("{}{last}", "x".repeat(length - 1));
            assert!(name(&user).starts_with("=h"));
            names.assign(name(&user), user);
        }
    }
}

#[test]
fn a_user_id_is_text_that_can_be_shown() {
    for good in ["a", "Max Müller", "🏭", &"x".repeat(255)] {
        assert_eq!(HubUserId::parse(good).map(|id| id.as_str().to_owned()), Ok(good.to_owned()));
    }
    for bad in ["", " ", "\t", "a\0", "a\nb", "\u{85}", "\u{200b}", "\u{3164} ", &"x".repeat(256)] {
        assert!(HubUserId::parse(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn every_spelling_of_an_id_is_the_same_user_with_the_same_account() {
    let müller = HubUserId::parse("müller").expect("an id");
    for spelling in ["mu\u{308}ller", " müller ", "\u{a0}mu\u{308}ller\u{2003}", "\tmüller\r\n"] {
        let user = HubUserId::parse(spelling).expect("an id");
        assert_eq!(user, müller, "{spelling:?}");
        assert_eq!(localpart(&user, &RESERVED), localpart(&müller, &RESERVED));
    }
    // Ids that only look alike are other users.
    for other in ["muller", "Müller", "mü\u{200b}ller", "ｍüller"] {
        assert_ne!(HubUserId::parse(other).expect("an id"), müller, "{other:?}");
    }
    let longest = "e\u{301}".repeat(255);
    assert_eq!(HubUserId::parse(&longest).map(|id| id.as_str().to_owned()), Ok("é".repeat(255)));
}

/// Returns keys of every kind from pairs of texts.
fn keys() -> Vec<RoomKey> {
    let texts = texts();
    let mut random = StdRng::seed_from_u64(8);
    let short: Vec<_> = texts.iter().filter(|text| text.len() <= 4).collect();
    let mut kinds = vec![RoomKind::General];
    for text in &texts {
        kinds.push(RoomKind::Service { source_app: text.clone() });
        kinds.push(RoomKind::BotDm { user: HubUserId::new(text.as_str()) });
        kinds.push(RoomKind::Entity { entity_type: text.clone(), entity_id: String::new() });
        kinds.push(RoomKind::Entity { entity_type: String::new(), entity_id: text.clone() });
    }
    for _ in 0..8_000 {
        let mut one = || short[random.random_range(0..short.len())].clone();
        kinds.push(RoomKind::Entity { entity_type: one(), entity_id: one() });
    }
    let tenants = [1, 11, -1].map(TenantId);
    kinds
        .into_iter()
        .zip(tenants.into_iter().cycle())
        .map(|(kind, tenant)| RoomKey { tenant, kind })
        .collect()
}

#[test]
fn no_two_rooms_share_a_queue_or_an_alias() {
    let (mut queues, mut aliases) = (Names::new(), Names::new());
    for key in keys() {
        queues.assign(key.to_string(), key.clone());
        aliases.assign(key.alias(), key);
    }
}

#[test]
fn an_alias_is_a_valid_localpart() {
    for key in keys() {
        let alias = key.alias();
        let valid = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c);
        assert!(alias.chars().all(valid) && alias.starts_with("hub_"), "{alias}");
        assert!(alias.len() <= 190, "{alias}");
    }
}

#[test]
fn the_same_key_has_the_same_alias_in_every_version_of_this_program() {
    let kind = RoomKind::Entity { entity_type: "Maschine".to_owned(), entity_id: "42".to_owned() };
    let key = RoomKey { tenant: TenantId(1), kind };
    assert_eq!(key.to_string(), "t1:entity:Maschine/42");
    assert_eq!(key.alias(), "hub_t1_entity_maschine_42_b89dfbb0bef1e94b");
}
