//! The schema of the table.

use std::time::Duration;

use aws_sdk_dynamodb::{
    error::SdkError,
    operation::create_table::CreateTableError,
    types::{
        AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType, TableStatus,
        TimeToLiveSpecification,
    },
};
use messenger_core::{Result, error::Failure};
use tokio::time::sleep;

use crate::{
    error::{Context as _, code, fault},
    item::{EXPIRES_AT, PARTITION, SORT},
    table::Table,
};

const CREATING: &str = "creating the table of the copy";
/// The number of times that a new table is looked at.
const LOOKS: u32 = 100;
const PAUSE: Duration = Duration::from_millis(300);

impl Table {
    /// Creates the table, billed on demand, and removes expired items from it. One that exists stays as it is.
    pub(crate) async fn create(&self) -> Result<()> {
        let request = self.client().await.create_table().table_name(self.name());
        let request = request
            .billing_mode(BillingMode::PayPerRequest)
            .set_attribute_definitions(Some(vec![
                attribute(PARTITION, ScalarAttributeType::S)?,
                attribute(SORT, ScalarAttributeType::N)?,
            ]))
            .set_key_schema(Some(vec![
                key_element(PARTITION, KeyType::Hash)?,
                key_element(SORT, KeyType::Range)?,
            ]));
        match request.send().await {
            Err(SdkError::ServiceError(error))
                if matches!(error.err(), CreateTableError::ResourceInUseException(_)) => {}
            result => drop(result.context(CREATING)?),
        }
        self.active().await?;
        self.expire_items().await
    }

    /// Waits until the table can be used.
    async fn active(&self) -> Result<()> {
        for _ in 0..LOOKS {
            let request = self.client().await.describe_table().table_name(self.name());
            let table = request.send().await.context(CREATING)?.table;
            if table.is_some_and(|table| table.table_status == Some(TableStatus::Active)) {
                return Ok(());
            }
            sleep(PAUSE).await;
        }
        Err(fault(Failure::TimedOut, CREATING, "the table did not become active"))
    }

    async fn expire_items(&self) -> Result<()> {
        let built = TimeToLiveSpecification::builder().enabled(true).attribute_name(EXPIRES_AT).build();
        let specification = built.map_err(|error| messenger_core::Error::internal(CREATING, error))?;
        let request = self.client().await.update_time_to_live().table_name(self.name());
        let request = request.time_to_live_specification(specification);
        match request.send().await {
            // It is enabled already.
            Err(error) if code(&error) == Some("ValidationException") => Ok(()),
            result => result.context(CREATING).map(drop),
        }
    }
}

fn attribute(name: &str, kind: ScalarAttributeType) -> Result<AttributeDefinition> {
    let built = AttributeDefinition::builder().attribute_name(name).attribute_type(kind).build();
    built.map_err(|error| messenger_core::Error::internal(CREATING, error))
}

fn key_element(name: &str, kind: KeyType) -> Result<KeySchemaElement> {
    let built = KeySchemaElement::builder().attribute_name(name).key_type(kind).build();
    built.map_err(|error| messenger_core::Error::internal(CREATING, error))
}
