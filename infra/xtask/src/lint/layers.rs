//! Checks which crates depend on which (docs/architecture.md, "The parts"): functions → runtime → {store, matrix} → core,
//! testkit → core. The rules of the service are in core, which can do no I/O.
use std::collections::{BTreeMap, BTreeSet};

use crate::cargo::{Metadata, Package};

/// Crates that do I/O. `mio` and `socket2` are not among them: they come with `tokio`, whose features are those of the whole
/// workspace here, and core uses its locks and time.
const IO: [&str; 9] = [
    "aws-config",
    "axum",
    "deadpool-postgres",
    "hyper",
    "lambda_http",
    "reqwest",
    "rustls",
    "tokio-postgres",
    "tonic",
];

/// A place in the house.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layer {
    Core,
    Store,
    Matrix,
    Runtime,
    Function,
    Router,
    Testkit,
    Devstack,
    /// Chores and tests of the whole service.
    Outside,
}

impl Layer {
    fn of(package: &Package) -> Self {
        let directory = package.manifest_path.parent();
        let name = directory.and_then(|directory| directory.file_name()).and_then(|name| name.to_str());
        let group = directory.and_then(|directory| directory.parent()).and_then(|group| group.file_name());
        match (group.and_then(|group| group.to_str()), name) {
            (Some("shared"), Some("core")) => Self::Core,
            (Some("shared"), Some("store")) => Self::Store,
            (Some("shared"), Some("matrix")) => Self::Matrix,
            (Some("shared"), Some("runtime")) => Self::Runtime,
            (Some("tests"), Some("testkit")) => Self::Testkit,
            (Some("infra"), Some("devstack")) => Self::Devstack,
            (Some("functions"), Some("router")) => Self::Router,
            (Some("functions"), _) => Self::Function,
            _ => Self::Outside,
        }
    }

    /// What it may be built with. Its tests may use anything.
    fn allows(self, other: Self) -> bool {
        match self {
            Self::Core | Self::Devstack => false,
            Self::Store | Self::Matrix | Self::Testkit => other == Self::Core,
            Self::Runtime => matches!(other, Self::Core | Self::Store | Self::Matrix),
            Self::Function => matches!(other, Self::Core | Self::Runtime),
            Self::Router => matches!(other, Self::Core | Self::Runtime | Self::Function),
            Self::Outside => true,
        }
    }
}

/// Every dependency that the house does not have.
pub(super) fn violations(metadata: &Metadata) -> Vec<String> {
    let packages: BTreeMap<&str, &Package> =
        metadata.packages.iter().map(|package| (package.id.as_str(), package)).collect();
    let dependencies = metadata.ordinary_dependencies();
    let ours = metadata.packages.iter().filter(|package| package.source.is_none());
    let mut violations: Vec<String> =
        ours.clone().flat_map(|package| wrong_neighbours(package, &packages, &dependencies)).collect();
    for core in ours.filter(|package| Layer::of(package) == Layer::Core) {
        let reached = reached(&core.id, &dependencies);
        let names = reached.iter().filter_map(|id| packages.get(id)).map(|package| package.name.as_str());
        let io = names.filter(|name| IO.contains(name));
        violations.extend(io.map(|name| format!("{} can do I/O: it is built with {name}", core.name)));
    }
    violations
}

fn wrong_neighbours(
    package: &Package,
    packages: &BTreeMap<&str, &Package>,
    dependencies: &BTreeMap<&str, Vec<&str>>,
) -> Vec<String> {
    let layer = Layer::of(package);
    let neighbours =
        dependencies.get(package.id.as_str()).into_iter().flatten().filter_map(|id| packages.get(id));
    let ours = neighbours.filter(|neighbour| neighbour.source.is_none());
    let wrong = ours.filter(|neighbour| !layer.allows(Layer::of(neighbour)));
    wrong.map(|neighbour| format!("{} may not depend on {}", package.name, neighbour.name)).collect()
}

/// Everything that the package is built with, directly or not.
fn reached<'a>(start: &'a str, dependencies: &BTreeMap<&'a str, Vec<&'a str>>) -> BTreeSet<&'a str> {
    let mut reached = BTreeSet::new();
    let mut open = vec![start];
    while let Some(id) = open.pop() {
        let next = dependencies.get(id).into_iter().flatten();
        open.extend(next.filter(|id| reached.insert(**id)));
    }
    reached
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn house(edges: &[(&str, &str, Option<&str>)]) -> Metadata {
        let names = edges.iter().flat_map(|(from, to, _)| [*from, *to]).collect::<BTreeSet<_>>();
        let package = |path: &str| {
            let ours = path.contains('/');
            let source = (!ours).then_some("registry");
            json!({ "id": path, "name": path, "manifest_path": format!("/w/{path}/Cargo.toml"), "source": source })
        };
        let dependency = |(_, to, kind): &(&str, &str, Option<&str>)| json!({ "pkg": to, "dep_kinds": [{ "kind": kind }] });
        let node = |name: &&str| {
            let deps: Vec<Value> = edges.iter().filter(|edge| edge.0 == *name).map(dependency).collect();
            json!({ "id": name, "deps": deps })
        };
        let packages: Vec<Value> = names.iter().map(|name| package(name)).collect();
        let nodes: Vec<Value> = names.iter().map(node).collect();
        let all =
            json!({ "packages": packages, "resolve": { "nodes": nodes }, "target_directory": "/w/target" });
        serde_json::from_value(all).unwrap()
    }

    #[test]
    fn the_way_down_is_allowed_and_tests_may_use_anything() {
        let house = house(&[
            ("functions/events", "shared/runtime", None),
            ("functions/router", "functions/events", None),
            ("shared/runtime", "shared/store", None),
            ("shared/store", "shared/core", None),
            ("shared/store", "tokio-postgres", None),
            ("shared/core", "tests/testkit", Some("dev")),
            ("shared/core", "reqwest", Some("dev")),
            ("infra/xtask", "infra/devstack", None),
        ]);
        assert_eq!(violations(&house), [""; 0]);
    }

    #[test]
    fn the_way_up_and_the_way_around_are_found() {
        let house = house(&[
            ("shared/core", "shared/store", None),
            ("functions/events", "shared/store", None),
            ("functions/events", "functions/poll", None),
        ]);
        let expected = [
            "functions/events may not depend on shared/store",
            "functions/events may not depend on functions/poll",
            "shared/core may not depend on shared/store",
        ];
        assert_eq!(violations(&house), expected);
    }

    #[test]
    fn input_and_output_in_core_is_found_however_deep() {
        let house = house(&[("shared/core", "innocent", None), ("innocent", "hyper", None)]);
        assert_eq!(violations(&house), ["shared/core can do I/O: it is built with hyper"]);
    }
}
