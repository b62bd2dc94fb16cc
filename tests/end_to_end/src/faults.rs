//! Faults in the parts of a [`Stack`], which are processes of the test or containers of a deployment.

use crate::{Control, Stack};

/// A part that a test stops, kills and starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The homeserver. On a deployment with Synapse, the way to it.
    Homeserver,
    /// The worker, with all of its copies.
    Worker,
    /// The router and this function, which are one process if the test started it.
    Function(&'static str),
}

impl Part {
    /// Returns the services of a deployment.
    fn services(self) -> Vec<&'static str> {
        match self {
            Self::Homeserver => vec!["conduit"],
            Self::Worker => vec!["worker"],
            Self::Function(name) => vec![name, "router"],
        }
    }
}

impl Stack {
    /// Stops a part with `SIGTERM` and waits until it has ended.
    pub async fn stop(&mut self, part: Part) {
        if let Some(control) = self.control() {
            for service in part.services() {
                control.stop(service).await;
            }
            return;
        }
        match part {
            Part::Homeserver => self.own_homeserver().stop().await,
            Part::Worker => self.kill_worker(),
            Part::Function(_) => self.router().stop().await,
        }
    }

    /// Kills a part with `SIGKILL`.
    pub async fn kill(&mut self, part: Part) {
        if let Some(control) = self.control() {
            for service in part.services() {
                control.kill_all(service).await;
            }
            return;
        }
        match part {
            Part::Homeserver => self.own_homeserver().kill(),
            Part::Worker => self.kill_worker(),
            Part::Function(_) => self.router().kill(),
        }
    }

    /// Starts a part again and waits until it answers; a worker of the test goes on starting.
    pub async fn start_again(&mut self, part: Part) {
        if let Some(control) = self.control() {
            for service in part.services() {
                control.start(service).await;
            }
            return;
        }
        match part {
            Part::Homeserver => self.own_homeserver().start_again().await.expect("the homeserver starts"),
            Part::Worker => self.start_worker(),
            Part::Function(_) => self.router().start_again().await.expect("the router starts"),
        }
    }

    /// Freezes the homeserver: its connections stay open and get no answer.
    pub async fn pause_homeserver(&self) {
        match self.control() {
            Some(control) => control.pause("conduit").await,
            None => self.homeserver.as_ref().expect("a homeserver").process().pause(),
        }
    }

    /// Resumes a frozen homeserver.
    pub async fn resume_homeserver(&self) {
        match self.control() {
            Some(control) => control.resume("conduit").await,
            None => self.homeserver.as_ref().expect("a homeserver").process().resume(),
        }
    }

    fn own_homeserver(&mut self) -> &mut messenger_devstack::LocalHomeserver {
        self.homeserver.as_mut().expect("the plan has a homeserver").process_mut()
    }

    fn control(&self) -> Option<Control> {
        self.deployment.as_ref().map(|deployment| deployment.control().clone())
    }
}
