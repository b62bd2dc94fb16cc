//! The description of routes: the fields of the parser, the caller, and the answers.
#![expect(clippy::expect_used, reason = "a missing precondition fails the test")]

use axum::Json;
use http::{HeaderMap, Method, StatusCode};
use messenger_core::{Result, error::Problem};
use messenger_runtime::{
    Routes,
    fields::Fields,
    openapi::{Caller, Operation, ResponseObject, code},
    testing::{Answered, Conformity},
};
use schemars::JsonSchema;
use serde_json::{Value, json};

/// An answer.
#[derive(serde::Serialize, JsonSchema)]
struct Machine {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    hall: Option<i64>,
}

fn parser(mut fields: Fields) -> Result<()> {
    fields.required_name("name", 100);
    fields.optional_text("text", 20);
    fields.one_of("colour", &["red", "green"], Problem::INVALID);
    fields.entity_id("part", 200);
    fields.user_ids("users", 3, 255);
    fields.whole_within("speed", "rpm", 30, 1..=60);
    if fields.required_flag("on") {
        fields.wrong("on", "is never true here");
    }
    fields.finish()?;
    Ok(())
}

fn query(mut fields: Fields) -> Result<()> {
    fields.number("limit", 50, 1, 200);
    fields.seconds("wait", 3, 10);
    fields.finish()?;
    Ok(())
}

async fn handler() -> Json<Machine> {
    Json(Machine { name: "CNC-01".to_owned(), hall: None })
}

fn document() -> Value {
    let operation = Operation::post("/machines/{id}", handler, "startMachine", "Starts a machine")
        .caller(Caller::Satellite)
        .query(query)
        .json(parser)
        .answer(ResponseObject::json::<Machine>(200, "It runs."))
        .refuses(&[code::NOT_FOUND]);
    Routes::new("Machines", "Machines").declare(operation).document().expect("it is described")
}

#[test]
fn the_parser_is_the_description_of_the_body() {
    let document = document();
    let body = &document["paths"]["/machines/{id}"]["post"]["requestBody"]["content"]["application/json"];
    insta::assert_json_snapshot!(body["schema"], @r#"
    {
      "properties": {
        "colour": {
          "enum": [
            "red",
            "green",
            null
          ],
          "type": [
            "string",
            "null"
          ]
        },
        "name": {
          "maxLength": 100,
          "minLength": 1,
          "pattern": "^[^\\u0000]*[^\\s\\u0000][^\\u0000]*$",
          "type": "string"
        },
        "on": {
          "type": "boolean"
        },
        "part": {
          "format": "int64",
          "maxLength": 200,
          "pattern": "^[^\\u0000]*$",
          "type": [
            "integer",
            "string",
            "null"
          ]
        },
        "speed": {
          "default": 30,
          "maximum": 60,
          "minimum": 1,
          "type": [
            "integer",
            "null"
          ]
        },
        "text": {
          "maxLength": 20,
          "pattern": "^[^\\u0000]*$",
          "type": [
            "string",
            "null"
          ]
        },
        "users": {
          "items": {
            "maxLength": 255,
            "minLength": 1,
            "pattern": "^[^\\u0000]*[^\\s\\u0000][^\\u0000]*$",
            "type": "string"
          },
          "maxItems": 3,
          "type": [
            "array",
            "null"
          ]
        }
      },
      "required": [
        "name",
        "on"
      ],
      "type": "object"
    }
    "#);
}

#[test]
fn the_query_is_described_with_its_bounds_and_defaults() {
    let document = document();
    insta::assert_json_snapshot!(document["paths"]["/machines/{id}"]["post"]["parameters"], @r#"
    [
      {
        "in": "path",
        "name": "id",
        "required": true,
        "schema": {
          "minLength": 1,
          "type": "string"
        }
      },
      {
        "in": "query",
        "name": "limit",
        "required": false,
        "schema": {
          "default": 50,
          "maximum": 200,
          "minimum": 1,
          "type": "integer"
        }
      },
      {
        "in": "query",
        "name": "wait",
        "required": false,
        "schema": {
          "default": 3,
          "maximum": 10,
          "minimum": 0,
          "type": "number"
        }
      }
    ]
    "#);
}

#[test]
fn each_problem_code_stands_at_its_status() {
    let document = document();
    let responses = document["paths"]["/machines/{id}"]["post"]["responses"].as_object().expect("responses");
    let codes = |status: &str| {
        let content = &responses[status]["content"]["application/problem+json"];
        content["schema"]["properties"]["code"]["enum"].clone()
    };
    assert_eq!(codes("401"), json!(["service_token_missing"]));
    assert_eq!(codes("404"), json!(["not_found"]));
    assert_eq!(codes("422"), json!(["invalid_json", "invalid_request"]));
    assert_eq!(codes("429"), json!(["rate_limited", "too_many_connections"]));
    let security = &document["paths"]["/machines/{id}"]["post"]["security"];
    assert_eq!(*security, json!([{ "serviceToken": [] }]));
}

/// Returns the difference between an answer and the document.
fn difference(method: &Method, path: &str, status: u16, body: &Value) -> Option<String> {
    let mut headers = HeaderMap::new();
    let kind = if status < 400 { "application/json" } else { "application/problem+json" };
    headers.insert("content-type", kind.parse().expect("a header"));
    headers.insert("x-request-id", "1".parse().expect("a header"));
    let status = StatusCode::from_u16(status).expect("a status");
    let answered = Answered { method, path, status, headers: &headers, body: Some(body) };
    Conformity::new(document()).check(&answered).err()
}

#[test]
fn an_answer_that_is_not_described_is_found() {
    let problem = |code: &str| {
        json!({
            "type": format!("urn:messenger-service:problem:{code}"), "title": "No", "status": 404,
            "detail": "no", "code": code, "request_id": "1",
        })
    };
    let post = |status, body: &Value| difference(&Method::POST, "/machines/7", status, body);
    assert_eq!(post(200, &json!({ "name": "CNC-01" })), None);
    assert_eq!(post(404, &problem("not_found")), None);
    for (status, body) in [
        (200, json!({ "hall": 1 })),
        (200, json!({ "name": "CNC-01", "floor": 1 })),
        (200, json!({ "name": 1 })),
        (201, json!({ "name": "CNC-01" })),
        (404, problem("room_upgraded")),
        (404, json!({ "code": "not_found" })),
        (409, problem("room_upgraded")),
    ] {
        assert!(post(status, &body).is_some(), "{status} {body}");
    }
    assert!(difference(&Method::GET, "/machines/7", 200, &json!({})).is_some(), "no such method");
    assert!(difference(&Method::POST, "/machines", 200, &json!({})).is_some(), "no such path");
    assert_eq!(difference(&Method::GET, "/machines/7", 405, &problem("method_not_allowed")), None);
}
