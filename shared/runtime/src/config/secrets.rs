//! Secrets: their strength, and that no two are equal. No message contains a value.

use std::collections::{HashMap, HashSet};

/// Values that are published in this repository or in the documentation of satellites.
const PUBLISHED: [&str; 3] = ["messenger-dev-secret", "messenger-service-token-dev", "hub-dev-secret"];
/// Fewest characters of a secret in production.
const LENGTH_MIN: usize = 32;
/// Fewest bits of a secret in production, as [`strength`] estimates them. 32 random hexadecimal digits have
/// about 110, 32 random decimal digits about 95.
const BITS_MIN: f64 = 64.0;
/// The command that generates a good secret.
const COMMAND: &str = "`openssl rand -hex 32` prints a good one";
/// Sequences that are guessed first, also reversed.
const GUESSED: &str = "01234567890 abcdefghijklmnopqrstuvwxyz qwertyuiop qwertzuiop asdfghjkl zxcvbnm yxcvbnm \
    changeme password passwort secret geheim token messenger service matrix conduit synapse production development";

/// The rule by which secrets are accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Policy {
    /// All of them.
    Any,
    /// All but the published ones; weak ones are a warning.
    Unpublished,
    /// Only strong ones that differ pairwise.
    Strong,
}

/// The secrets of a configuration.
pub(super) struct Secrets(Vec<(&'static str, String)>);

impl Secrets {
    /// Keeps the variables that have a value. A secret whose file cannot be read is empty and has its problem
    /// already.
    pub(super) fn of(secrets: impl IntoIterator<Item = (&'static str, Option<String>)>) -> Self {
        let set = secrets.into_iter().filter_map(|(name, value)| Some((name, value?)));
        Self(set.filter(|(_, value)| !value.is_empty()).collect())
    }

    /// Returns a line for each secret that the policy refuses.
    pub(super) fn problems(&self, policy: Policy) -> Vec<String> {
        match policy {
            Policy::Any => Vec::new(),
            Policy::Unpublished => self.0.iter().filter_map(|(name, value)| published(name, value)).collect(),
            Policy::Strong => self.weaknesses(),
        }
    }

    /// Returns a line for each weakness that production refuses.
    pub(super) fn weaknesses(&self) -> Vec<String> {
        let each = self.0.iter().filter_map(|(name, value)| {
            published(name, value).or_else(|| short(name, value)).or_else(|| guessable(name, value))
        });
        each.chain(self.repeated()).collect()
    }

    /// Returns a line for each value that several variables share.
    fn repeated(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for (n, (_, value)) in self.0.iter().enumerate() {
            if self.0.iter().take(n).any(|(_, earlier)| earlier == value) {
                continue;
            }
            let same = self.0.iter().filter(|(_, other)| other == value).map(|(name, _)| *name);
            let same: Vec<_> = same.collect();
            if same.len() > 1 {
                lines.push(format!("{} have the same value: each needs its own", same.join(", ")));
            }
        }
        lines
    }
}

fn published(name: &str, value: &str) -> Option<String> {
    PUBLISHED
        .contains(&value)
        .then(|| format!("{name} is missing or has a published value: set a secret of your own; {COMMAND}"))
}

fn short(name: &str, value: &str) -> Option<String> {
    (value.chars().count() < LENGTH_MIN).then(|| {
        format!("{name} is too short: at least {LENGTH_MIN} random characters are needed; {COMMAND}")
    })
}

fn guessable(name: &str, value: &str) -> Option<String> {
    (strength(value) < BITS_MIN).then(|| {
        format!(
            "{name} is easily guessed, since it repeats itself or consists of well-known parts; {COMMAND}"
        )
    })
}

/// Estimates the bits of a secret: the Shannon entropy of its characters, counted for those characters that
/// do not follow from the two before them.
fn strength(secret: &str) -> f64 {
    let characters: Vec<char> = secret.to_lowercase().chars().collect();
    let forward: Vec<char> = GUESSED.chars().collect();
    let backward: Vec<char> = forward.iter().rev().copied().collect();
    let mut seen: HashSet<[char; 3]> =
        forward.array_windows().chain(backward.array_windows()).copied().collect();
    let unpredictable = characters.array_windows().filter(|three| seen.insert(**three)).count();
    let first = characters.len().min(2);
    entropy(secret) * bounded(first + unpredictable)
}

/// Returns the Shannon entropy of a text, in bits for each character.
fn entropy(text: &str) -> f64 {
    let mut counts = HashMap::<char, usize>::new();
    text.chars().for_each(|character| *counts.entry(character).or_default() += 1);
    let all = bounded(text.chars().count());
    counts.into_values().map(|count| bounded(count) / all).map(|share| -share * share.log2()).sum()
}

/// Converts a count, which is bounded by 65 535.
fn bounded(count: usize) -> f64 {
    u16::try_from(count).unwrap_or(u16::MAX).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns pseudo-random digits of a base (xorshift64*).
    fn random(seed: u64, length: usize, digits: &str) -> String {
        let digits: Vec<char> = digits.chars().collect();
        let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        let mut next = || {
            state ^= state >> 12;
            state ^= state << 25;
            state ^= state >> 27;
            digits[(state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % digits.len()]
        };
        (0..length).map(|_| next()).collect()
    }

    #[test]
    fn random_secrets_of_any_alphabet_are_strong() {
        for seed in 1..500 {
            for digits in ["0123456789", "0123456789abcdef", "abcdefghijklmnopqrstuvwxyz234567"] {
                let secret = random(seed, LENGTH_MIN, digits);
                assert_eq!(guessable("X", &secret), None, "{secret}: {}", strength(&secret));
            }
        }
    }

    #[test]
    fn patterns_and_well_known_words_are_weak() {
        for weak in [
            "a".repeat(64),
            "ab".repeat(32),
            "abcabc".repeat(20),
            "0123456789abcdef".repeat(2),
            "fedcba9876543210".repeat(4),
            "9876543210".repeat(4),
            "abcdefghijklmnopqrstuvwxyz012345".to_owned(),
            "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345".to_owned(),
            "qwertzuiopasdfghjklyxcvbnm123456".to_owned(),
            "changeme".repeat(5),
            "password-password-password-password".to_owned(),
            "messenger-service-token-production".to_owned(),
            "X7k!".repeat(16),
            "hello-world-".repeat(5),
            "ä".repeat(40),
        ] {
            assert!(guessable("X", &weak).is_some(), "{weak}: {}", strength(&weak));
        }
    }
}
