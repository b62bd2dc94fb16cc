//! Checks that the commands of the operating guide name every program.
use std::collections::BTreeSet;

use super::super::source::Source;
use super::rules::programs;

const GUIDE: &str = "docs/operating.md";
/// The programs that are upgraded in another way than a function.
const NO_FUNCTIONS: [&str; 2] = ["router", "worker"];

/// Returns each command that names too few or too many programs, as `path:line: message`.
pub(super) fn violations(sources: &[Source]) -> Vec<String> {
    let guide = sources.iter().find(|source| source.path == GUIDE).map_or("", |source| &source.text);
    let all = programs(sources);
    let functions = all.iter().copied().filter(|program| !NO_FUNCTIONS.contains(program)).collect();
    let lines = guide.lines().enumerate();
    lines
        .filter_map(|(n, line)| {
            let upgraded = words_between(line, "for function in ", "; do");
            let restarted = words_between(line, "programs='", "'");
            let difference = match (upgraded, restarted) {
                (Some(named), _) => named.symmetric_difference(&functions).copied().collect::<Vec<_>>(),
                (None, Some(named)) => named.symmetric_difference(&all).copied().collect(),
                (None, None) => return None,
            };
            let programs = difference.join(", ");
            (!difference.is_empty()).then(|| format!("{GUIDE}:{}: missing or unknown: {programs}", n + 1))
        })
        .collect()
}

fn words_between<'a>(line: &'a str, begin: &str, end: &str) -> Option<BTreeSet<&'a str>> {
    let (words, _) = line.strip_prefix(begin)?.split_once(end)?;
    Some(words.split_whitespace().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(guide: &str) -> Vec<String> {
        let programs =
            ["rooms", "web", "router", "worker"].map(|name| format!("functions/{name}/Cargo.toml"));
        let programs = programs.iter().map(|path| Source::new(path, ""));
        violations(&programs.chain([Source::new(GUIDE, guide)]).collect::<Vec<_>>())
    }

    #[test]
    fn commands_that_name_every_program_pass() {
        let guide = "for function in rooms web; do\ndone\nprograms='worker rooms web router'\n";
        assert_eq!(found(guide), [""; 0]);
    }

    #[test]
    fn missing_and_unknown_programs_are_named_with_their_line() {
        let guide = "for function in rooms; do\ndone\nprograms='worker rooms web router edge'\n";
        let expected =
            [format!("{GUIDE}:1: missing or unknown: web"), format!("{GUIDE}:3: missing or unknown: edge")];
        assert_eq!(found(guide), expected);
    }
}
