//! Events of payload format 1.0, as REST APIs send them.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{ACCOUNT, API, Address, CLIENT, Request, USER_AGENT};
use crate::runtime_api::now;

/// Returns the event of a REST API with the resource `/{proxy+}`.
pub(super) fn event(request: &Request, address: &Address) -> Value {
    let domain = address.domain();
    let external = address.external(&request.path);
    // The address that AWS gives has the stage in the path of the context alone; a base path is in both.
    let path = if address.mapping.is_some() { &external } else { &request.path };
    let (headers, parameters) = (grouped(request.headers(&domain)), grouped(request.parameters()));
    let body = (!request.body.is_empty()).then(|| request.encoded_body());
    json!({
        "resource": "/{proxy+}",
        "path": path,
        "httpMethod": request.method,
        "headers": last(&headers),
        "multiValueHeaders": headers,
        "queryStringParameters": (!parameters.is_empty()).then(|| last(&parameters)),
        "multiValueQueryStringParameters": (!parameters.is_empty()).then_some(&parameters),
        "pathParameters": { "proxy": request.path.trim_start_matches('/') },
        "stageVariables": null,
        "requestContext": context(request, address, &domain, &external),
        "isBase64Encoded": body.is_some(),
        "body": body,
    })
}

fn context(request: &Request, address: &Address, domain: &str, path: &str) -> Value {
    let time = now();
    json!({
        "accountId": ACCOUNT,
        "apiId": API,
        "deploymentId": "d1e2f3",
        "domainName": domain,
        "domainPrefix": domain.split('.').next(),
        "extendedRequestId": "JKJaXmPLvHcESHA=",
        "httpMethod": request.method,
        "identity": {
            "accessKey": null,
            "accountId": null,
            "caller": null,
            "cognitoAuthenticationProvider": null,
            "cognitoAuthenticationType": null,
            "cognitoIdentityId": null,
            "cognitoIdentityPoolId": null,
            "principalOrgId": null,
            "sourceIp": CLIENT,
            "user": null,
            "userAgent": USER_AGENT,
            "userArn": null,
        },
        "path": path,
        "protocol": "HTTP/1.1",
        "requestId": "c6af9ac6-7b61-11e6-9a41-93e8deadbeef",
        "requestTime": time.strftime("%d/%b/%Y:%H:%M:%S +0000").to_string(),
        "requestTimeEpoch": time.as_millisecond(),
        "resourceId": "a2b3c4",
        "resourcePath": "/{proxy+}",
        "stage": address.stage,
    })
}

fn grouped(pairs: Vec<(String, String)>) -> BTreeMap<String, Vec<String>> {
    let mut grouped: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in pairs {
        grouped.entry(name).or_default().push(value);
    }
    grouped
}

/// Returns the last value of each name.
fn last(grouped: &BTreeMap<String, Vec<String>>) -> BTreeMap<&String, &String> {
    grouped.iter().filter_map(|(name, values)| Some((name, values.last()?))).collect()
}
