//! Our service as a target: its users, their tokens, their streams.
use std::sync::Arc;

use anyhow::{Result, ensure};
use tokio::task::JoinSet;

use crate::http::{Connection, Server};
use crate::stack::{HUB_KEY, SERVICE_TOKEN, Stack};
use crate::target::{Publish, Target};
use crate::token;

/// So many users are signed in at once.
const AT_ONCE: usize = 16;

/// How many there are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Users {
    pub(crate) per_tenant: usize,
    /// The first is the one that is published to; the users of the others are bystanders.
    pub(crate) tenants: usize,
}

/// The service, and what one needs to speak with it.
#[derive(Clone, Debug)]
pub(crate) struct Door {
    pub(crate) server: Server,
    pub(crate) service_token: String,
    pub(crate) hub_key: String,
    /// The homeserver's token; `None`: it is not known to us.
    pub(crate) hs_token: Option<String>,
    pub(crate) pids: Vec<i32>,
    pub(crate) database: Vec<i32>,
}

impl Door {
    pub(crate) fn of(stack: &Stack) -> Self {
        Self {
            server: stack.server.clone(),
            service_token: SERVICE_TOKEN.to_owned(),
            hub_key: HUB_KEY.to_owned(),
            hs_token: Some(stack.hs_token().to_owned()),
            pids: stack.pid().into_iter().collect(),
            database: stack.database().pid().into_iter().collect(),
        }
    }
}

impl Users {
    /// Our own stack as a target, with these users signed in.
    pub(crate) async fn follow(self, stack: &Stack) -> Result<Target> {
        self.target(&Door::of(stack)).await
    }

    /// The service as a target, with these users signed in: the first login of a user is another measurement.
    pub(crate) async fn target(self, door: &Door) -> Result<Target> {
        let mut tokens = Vec::new();
        for tenant in 0..self.tenants {
            let number = i64::try_from(tenant)? + 1;
            tokens.extend(token::many(&door.hub_key, &format!("bench-t{number}"), self.per_tenant, number)?);
        }
        sign_in(&door.server, &tokens).await?;
        Ok(Target {
            server: door.server.clone(),
            streams: tokens.iter().map(|token| format!("/api/v1/events/stream?token={token}")).collect(),
            bystanders: self.per_tenant * (self.tenants - 1),
            publish: Publish::Notification { token: door.service_token.clone() },
            pids: door.pids.clone(),
            database: door.database.clone(),
        })
    }
}

/// Signs in whom these tokens name.
pub(crate) async fn sign_in(server: &Server, tokens: &[String]) -> Result<()> {
    let tokens: Arc<[String]> = tokens.into();
    let mut tasks = JoinSet::new();
    for first in 0..AT_ONCE {
        let (server, tokens) = (server.clone(), Arc::clone(&tokens));
        tasks.spawn(async move {
            let mut connection = Connection::open(&server).await?;
            for token in tokens.iter().skip(first).step_by(AT_ONCE) {
                let bearer = format!("Bearer {token}");
                let request = server.request("GET", "/api/v1/users/me", &[("Authorization", &bearer)], "");
                let answer = connection.call(&request).await?;
                ensure!(answer.status == 200, "users/me was answered {}", answer.text());
            }
            anyhow::Ok(())
        });
    }
    while let Some(task) = tasks.join_next().await {
        task??;
    }
    Ok(())
}
