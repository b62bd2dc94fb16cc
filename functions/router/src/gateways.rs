//! Tests of the gateways that take the router's place: the template for AWS Lambda, and the routes of the
//! emulator in `Cargo.toml`, lead each operation to its function.

use std::{collections::BTreeSet, fs, path::PathBuf};

use serde_json::Value;

use crate::GROUPS;

/// The program whose answers are streamed. An HTTP API cannot do that.
const STREAMING: &str = "messenger-events";
/// The program that answers for all paths that no other has.
const ELSE: &str = "messenger-web";
/// Operations of every program, of which one answers for the service.
const OF_ALL: [&str; 4] = ["/livez", "/metrics", "/openapi.json", "/readyz"];
/// The programs that run on the feed table alone, if there is one.
const ON_FEED_ALONE: [&str; 2] = ["messenger-events", "messenger-poll"];
/// The programs that read or write the feed table.
const WITH_FEED: [&str; 4] = ["messenger-events", "messenger-health", "messenger-poll", "messenger-worker"];

/// A route of a gateway.
#[derive(Debug)]
struct Route {
    /// The method, or `ANY`.
    method: String,
    /// The path without a parameter at the end, which stands for all paths below.
    path: String,
    is_greedy: bool,
    program: String,
}

/// A function of the template.
struct Function {
    program: String,
    properties: Value,
}

fn text(path: &str) -> String {
    let root = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    fs::read_to_string(root.join(path)).expect("it is read")
}

/// Returns the functions of the template. Tags such as `!Ref` are left out of its values.
fn functions() -> Vec<Function> {
    let template: Value = serde_saphyr::from_str(&text("infra/aws/template.yaml")).expect("YAML");
    let resources = template["Resources"].as_object().expect("resources").values();
    resources
        .filter(|resource| resource["Type"] == "AWS::Serverless::Function")
        .map(|resource| {
            let properties = resource["Properties"].clone();
            let package = properties["CodeUri"].as_str().expect("a package");
            let program = package.trim_end_matches("/package.zip").rsplit('/').next().expect("a program");
            Function { program: program.to_owned(), properties }
        })
        .collect()
}

impl Function {
    /// Returns the routes of the HTTP API that lead to this function.
    fn routes(&self) -> Vec<Route> {
        let events = self.properties["Events"].as_object().into_iter().flat_map(|events| events.values());
        events
            .filter(|event| event["Type"] == "HttpApi")
            .map(|event| {
                let route = &event["Properties"];
                // Without method and path it is the route for all other requests.
                let method = route["Method"].as_str().unwrap_or("ANY");
                Route::new(method, route["Path"].as_str().unwrap_or("/{proxy+}"), &self.program)
            })
            .collect()
    }

    fn variables(&self) -> impl Iterator<Item = (&String, &Value)> {
        self.properties["Environment"]["Variables"].as_object().into_iter().flatten()
    }
}

impl Route {
    fn new(method: &str, path: &str, program: &str) -> Self {
        let base = path.strip_suffix("/{proxy+}").or(path.strip_suffix("/{*rest}"));
        Self {
            method: method.to_owned(),
            path: base.unwrap_or(path).to_owned(),
            is_greedy: base.is_some(),
            program: program.to_owned(),
        }
    }

    /// Returns whether this route takes a request. Of several ones, gateways prefer the longest path, and one
    /// that is not greedy.
    fn takes(&self, method: &str, path: &str) -> bool {
        let fits = match path.strip_prefix(&self.path) {
            Some("") => !self.is_greedy,
            Some(rest) => self.is_greedy && rest.starts_with('/'),
            None => false,
        };
        fits && (self.method == "ANY" || self.method.eq_ignore_ascii_case(method))
    }
}

fn template_routes() -> Vec<Route> {
    functions().iter().flat_map(Function::routes).collect()
}

fn emulator_routes() -> Vec<Route> {
    let manifest: toml::Table = toml::from_str(&text("Cargo.toml")).expect("TOML");
    let routes = manifest["workspace"]["metadata"]["lambda"]["watch"]["router"].as_table().expect("routes");
    routes
        .iter()
        .map(|(path, program)| Route::new("ANY", path, program.as_str().expect("a program")))
        .collect()
}

/// Returns the operations of all functions: method, path and program.
fn operations() -> Vec<(String, String, String)> {
    let mut operations = Vec::new();
    for group in GROUPS {
        let program = format!("messenger-{}", group.name.to_lowercase());
        let document = (group.routes)().document().expect("a description");
        for (path, methods) in document["paths"].as_object().expect("paths") {
            let methods = methods.as_object().expect("methods").keys();
            let methods = methods.filter(|_| !OF_ALL.contains(&path.as_str()));
            operations.extend(methods.map(|method| (method.clone(), path.clone(), program.clone())));
        }
    }
    operations
}

fn program<'a>(routes: &'a [Route], method: &str, path: &str) -> Option<&'a str> {
    let fitting = routes.iter().filter(|route| route.takes(method, path));
    fitting.max_by_key(|route| (route.path.len(), !route.is_greedy)).map(|route| route.program.as_str())
}

#[test]
fn the_http_api_leads_each_operation_to_its_function_but_streams() {
    let routes = template_routes();
    for (method, path, expected) in operations() {
        let expected = if expected == STREAMING { ELSE } else { &expected };
        assert_eq!(program(&routes, &method, &path), Some(expected), "{method} {path}");
    }
    assert_eq!(program(&routes, "get", "/readyz"), Some("messenger-health"));
}

#[test]
fn the_emulator_leads_each_operation_to_its_function() {
    let routes = emulator_routes();
    for (method, path, expected) in operations() {
        assert_eq!(program(&routes, &method, &path), Some(expected.as_str()), "{method} {path}");
    }
}

#[test]
fn each_route_of_a_gateway_leads_to_an_operation() {
    let mut operations = operations();
    let others = OF_ALL.map(|path| (path, "messenger-health")).into_iter().chain([("/nowhere", ELSE)]);
    operations.extend(others.map(|(path, program)| ("get".to_owned(), path.to_owned(), program.to_owned())));
    for route in template_routes().iter().chain(&emulator_routes()) {
        let leads = |(method, path, program): &(String, String, String)| {
            route.takes(method, path) && route.program == *program
        };
        assert!(operations.iter().any(leads), "{route:?}");
    }
}

#[test]
fn the_template_has_each_program_of_the_service_but_the_router() {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let programs = fs::read_dir(folder)
        .expect("the functions")
        .map(|entry| format!("messenger-{}", entry.expect("a folder").file_name().to_string_lossy()));
    let programs: BTreeSet<_> = programs.filter(|program| program != "messenger-router").collect();
    assert_eq!(functions().into_iter().map(|function| function.program).collect::<BTreeSet<_>>(), programs);
}

#[test]
fn functions_get_variables_that_programs_read_and_secrets_by_reference() {
    let sample = text(".env.sample");
    let is_read = |name: &str| sample.lines().any(|line| line.starts_with(&format!("#{name}=")));
    let template: Value = serde_saphyr::from_str(&text("infra/aws/template.yaml")).expect("YAML");
    let all = template["Globals"]["Function"]["Environment"]["Variables"].as_object().expect("variables");
    let functions = functions();
    for (name, value) in all.iter().chain(functions.iter().flat_map(Function::variables)) {
        assert!(is_read(name), "no program reads {name}");
        let reference = format!("{{{{resolve:secretsmanager:${{SecretArn}}:SecretString:{name}::");
        let is_secret = is_read(&format!("{name}_FILE"));
        assert_eq!(value.to_string().contains(&reference), is_secret, "{name}: {value}");
    }
}

#[test]
fn only_programs_with_the_feed_see_its_table() {
    for function in functions() {
        let sees = function.properties["Policies"].to_string().contains("dynamodb:");
        let is_named = function.variables().any(|(name, _)| name == "FEED_TABLE");
        // The setup is the worker's program, and needs no feed.
        let is_setup = function.properties["Timeout"] == 300;
        let expected = WITH_FEED.contains(&function.program.as_str()) && !is_setup;
        assert_eq!((sees, is_named), (expected, expected), "{}", function.program);
    }
}

#[test]
fn streams_and_polls_on_the_feed_table_have_no_database_and_no_vpc() {
    for function in functions() {
        let is_alone = ON_FEED_ALONE.contains(&function.program.as_str());
        let url = function.variables().find(|(name, _)| *name == "DATABASE_URL").map(|(_, value)| value);
        let is_optional = url.is_some_and(|url| url[0] == "HasFeedTable" && url[1] == "");
        let vpc = &function.properties["VpcConfig"][0];
        let expected = if is_alone { "ReadersAreInVpc" } else { "IsInVpc" };
        assert_eq!((is_optional, vpc), (is_alone, &Value::from(expected)), "{}", function.program);
    }
}
