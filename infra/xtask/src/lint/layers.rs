//! Checks the dependencies between crates: functions → runtime → {store, matrix} → core, {runtime, store, devstack}
//! → postgres, testkit → {matrix, core}, and dynamo → core. Few functions may use dynamo. The crate core has no I/O
//! (docs/architecture.md, "The parts").
use std::collections::{BTreeMap, BTreeSet};

use crate::cargo::{Metadata, Package};

/// Crates that do I/O. `mio` and `socket2` are missing: they come with `tokio`, whose locks and time core
/// uses and whose features are those of the whole workspace.
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

/// The functions that may use dynamo. The programs of all others stay as small as they are.
const WITH_COPY: [&str; 4] = ["events", "health", "poll", "worker"];

/// A layer of crates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layer {
    Core,
    Postgres,
    Store,
    Dynamo,
    Matrix,
    Runtime,
    /// A function that reads or writes the copy of the event log.
    FunctionWithCopy,
    Function,
    Router,
    Testkit,
    Devstack,
    /// Commands, and tests of the whole service.
    Outside,
}

impl Layer {
    fn of(package: &Package) -> Self {
        let directory = package.manifest_path.parent();
        let name = directory.and_then(|directory| directory.file_name()).and_then(|name| name.to_str());
        let group = directory.and_then(|directory| directory.parent()).and_then(|group| group.file_name());
        match (group.and_then(|group| group.to_str()), name) {
            (Some("shared"), Some("core")) => Self::Core,
            (Some("shared"), Some("postgres")) => Self::Postgres,
            (Some("shared"), Some("store")) => Self::Store,
            (Some("shared"), Some("dynamo")) => Self::Dynamo,
            (Some("shared"), Some("matrix")) => Self::Matrix,
            (Some("shared"), Some("runtime")) => Self::Runtime,
            (Some("tests"), Some("testkit")) => Self::Testkit,
            (Some("infra"), Some("devstack")) => Self::Devstack,
            (Some("functions"), Some("router")) => Self::Router,
            (Some("functions"), Some(name)) if WITH_COPY.contains(&name) => Self::FunctionWithCopy,
            (Some("functions"), _) => Self::Function,
            _ => Self::Outside,
        }
    }

    /// Returns whether crates of this layer may depend on crates of the other one. Tests may use all crates.
    fn allows(self, other: Self) -> bool {
        match self {
            Self::Core | Self::Postgres => false,
            Self::Devstack => other == Self::Postgres,
            Self::Matrix | Self::Dynamo => other == Self::Core,
            Self::Store => matches!(other, Self::Core | Self::Postgres),
            // The homeserver in memory parses events as the adapter does.
            Self::Testkit => matches!(other, Self::Core | Self::Matrix),
            Self::Runtime => matches!(other, Self::Core | Self::Postgres | Self::Store | Self::Matrix),
            Self::Function => matches!(other, Self::Core | Self::Runtime),
            Self::FunctionWithCopy => matches!(other, Self::Core | Self::Runtime | Self::Dynamo),
            Self::Router => matches!(
                other,
                Self::Core | Self::Runtime | Self::Dynamo | Self::Function | Self::FunctionWithCopy
            ),
            Self::Outside => true,
        }
    }
}

/// Returns each dependency that is not allowed.
pub(super) fn violations(metadata: &Metadata) -> Vec<String> {
    let packages: BTreeMap<&str, &Package> =
        metadata.packages.iter().map(|package| (package.id.as_str(), package)).collect();
    let dependencies = metadata.ordinary_dependencies();
    let ours = metadata.packages.iter().filter(|package| package.source.is_none());
    let mut violations: Vec<String> =
        ours.clone().flat_map(|package| refused_dependencies(package, &packages, &dependencies)).collect();
    for core in ours.filter(|package| Layer::of(package) == Layer::Core) {
        let reached = reached(&core.id, &dependencies);
        let names = reached.iter().filter_map(|id| packages.get(id)).map(|package| package.name.as_str());
        let io = names.filter(|name| IO.contains(name));
        violations.extend(io.map(|name| format!("{} can do I/O: it is built with {name}", core.name)));
    }
    violations
}

fn refused_dependencies(
    package: &Package,
    packages: &BTreeMap<&str, &Package>,
    dependencies: &BTreeMap<&str, Vec<&str>>,
) -> Vec<String> {
    let layer = Layer::of(package);
    let used = dependencies.get(package.id.as_str()).into_iter().flatten().filter_map(|id| packages.get(id));
    let own = used.filter(|package| package.source.is_none());
    let refused = own.filter(|package| !layer.allows(Layer::of(package)));
    refused.map(|other| format!("{} may not depend on {}", package.name, other.name)).collect()
}

/// Returns all direct and indirect dependencies of the package.
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

    fn metadata(edges: &[(&str, &str, Option<&str>)]) -> Metadata {
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
    fn dependencies_on_lower_layers_and_of_tests_pass() {
        let metadata = metadata(&[
            ("functions/events", "shared/runtime", None),
            ("functions/router", "functions/events", None),
            ("shared/runtime", "shared/store", None),
            ("functions/events", "shared/dynamo", None),
            ("shared/dynamo", "shared/core", None),
            ("shared/store", "shared/core", None),
            ("shared/store", "tokio-postgres", None),
            ("shared/core", "tests/testkit", Some("dev")),
            ("shared/core", "reqwest", Some("dev")),
            ("infra/xtask", "infra/devstack", None),
        ]);
        assert_eq!(violations(&metadata), [""; 0]);
    }

    #[test]
    fn dependencies_on_higher_layers_and_between_functions_are_refused() {
        let metadata = metadata(&[
            ("shared/core", "shared/store", None),
            ("functions/events", "shared/store", None),
            ("functions/rooms", "shared/dynamo", None),
            ("functions/events", "functions/poll", None),
        ]);
        let expected = [
            "functions/events may not depend on shared/store",
            "functions/events may not depend on functions/poll",
            "functions/rooms may not depend on shared/dynamo",
            "shared/core may not depend on shared/store",
        ];
        assert_eq!(violations(&metadata), expected);
    }

    #[test]
    fn an_indirect_io_crate_in_core_is_refused() {
        let metadata = metadata(&[("shared/core", "innocent", None), ("innocent", "hyper", None)]);
        assert_eq!(violations(&metadata), ["shared/core can do I/O: it is built with hyper"]);
    }
}
