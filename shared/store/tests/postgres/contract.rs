//! The contract of the ports, on PostgreSQL.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use messenger_core::{
    Ports, Result,
    alarm::{Action, AlarmKey, Input, NewAlarmInput},
    notification::{Draft, NewNotification, Satellite},
    port::Alarms,
};
use messenger_testkit::{
    contract::{AlarmStore, Store},
    fixtures,
};

use crate::database::TestStore;

#[async_trait]
impl Store for TestStore {
    fn ports(&self) -> Ports {
        Self::ports(self)
    }

    async fn pass(&self, time: Duration) {
        // Leases use the clock of the database, which a test cannot set.
        tokio::time::sleep(time).await;
    }
}

#[async_trait]
impl AlarmStore for TestStore {
    fn alarms(&self) -> Arc<dyn Alarms> {
        Arc::new(self.store().clone())
    }

    async fn receive(&self, key: &AlarmKey, input: Input) -> Result<()> {
        let draft = match &input.action {
            Action::Trigger(trigger) => trigger.draft.clone(),
            Action::Update(draft) => draft.clone(),
            _ => fixtures::draft("no text"),
        };
        let (dedup_key, occurred_at) = (Some(key.dedup_key.clone()), input.occurred_at);
        let entry = NewNotification {
            satellite: Satellite { tenant: key.tenant, ..fixtures::satellite() },
            alarm: Some(NewAlarmInput { dedup_key, action: input.action, occurred_at }),
            ..fixtures::new_notification(Draft { source_app: key.source_app.clone(), ..draft })
        };
        self.ports().notifications.accept(entry).await.map(drop)
    }
}

messenger_testkit::contract_tests!(TestStore::create);
messenger_testkit::alarm_contract_tests!(TestStore::create);
