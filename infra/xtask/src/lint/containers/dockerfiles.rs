//! Checks that each image has a health check and a user without rights, and needs no front end from elsewhere.
use super::super::source::Source;

/// The beginnings of lines that each Dockerfile has.
const NEEDED: [&str; 2] = ["HEALTHCHECK ", "USER 65532:65532"];
/// The beginning of a line that no Dockerfile has: the engine would pull what it names.
const FRONT_END: &str = "# syntax=";

/// Returns each violation as `path:line: message`.
pub(super) fn violations(sources: &[Source]) -> Vec<String> {
    let dockerfiles = sources.iter().filter(|source| source.path.ends_with("/Dockerfile"));
    dockerfiles.flat_map(of_dockerfile).collect()
}

fn of_dockerfile(source: &Source) -> Vec<String> {
    let path = &source.path;
    let has = |begin: &str| source.text.lines().any(|line| line.starts_with(begin));
    let missing = NEEDED.into_iter().filter(|begin| !has(begin));
    let missing = missing.map(|begin| format!("{path}:1: no line begins with `{begin}`"));
    missing.chain(has(FRONT_END).then(|| format!("{path}:1: a line begins with `{FRONT_END}`"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_without_a_health_check_or_with_all_rights_is_refused() {
        let of = |text: &str| violations(&[Source::new("a/Dockerfile", text)]);
        let good = "USER 65532:65532\nHEALTHCHECK CMD x\n";
        assert_eq!(of(good), [""; 0]);
        let expected = NEEDED.map(|begin| format!("a/Dockerfile:1: no line begins with `{begin}`"));
        assert_eq!(of("USER 0\n"), expected);
        let pulled = of(&format!("# syntax=docker/dockerfile:1\n{good}"));
        assert_eq!(pulled, ["a/Dockerfile:1: a line begins with `# syntax=`"]);
    }
}
