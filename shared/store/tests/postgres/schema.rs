//! The schema as a snapshot of the catalog, and the effect of migrating again.

use messenger_devstack::TestDatabase;
use messenger_store::migrate;
use tokio_postgres::Client;

/// Relations, indexes, constraints, triggers and functions, one a line. Partitions are named by dates and
/// left out.
const CATALOG: &str = r#"
    with relation as (
        select oid, relname, reloptions, relpartbound,
               case relkind when 'v' then 'view' when 'c' then 'type' when 'S' then 'sequence' else 'table' end as kind
        from pg_class
        where relnamespace = current_schema()::regnamespace and relkind in ('r', 'p', 'v', 'c', 'S')
          and relname !~ '^events_\d{8}' and relname <> 'refinery_schema_history'
    ), line as (
        select 1 as part, kind, relname, 0 as n,
               concat_ws(' ', kind, relname, 'partition by ' || pg_get_partkeydef(oid), pg_get_expr(relpartbound, oid),
                         'with ' || nullif(reloptions, '{}')::text) as line
        from relation
        union all
        select 1, kind, relname, attnum,
               concat_ws(' ', '   ', attname, format_type(atttypid, atttypmod),
                         case when attnotnull then 'not null' end,
                         case when attidentity <> '' then 'identity' end,
                         'default ' || pg_get_expr(adbin, adrelid))
        from relation
        join pg_attribute on attrelid = relation.oid and attnum > 0 and not attisdropped and kind <> 'sequence'
        left join pg_attrdef on adrelid = attrelid and adnum = attnum
        union all
        select 2, 'constraint', relname, 0, concat_ws(' ', relname, conname, pg_get_constraintdef(pg_constraint.oid))
        from relation join pg_constraint on conrelid = relation.oid and contype in ('p', 'u', 'c', 'f')
        union all
        select 3, 'index', relname, 0, pg_get_indexdef(indexrelid)
        from relation join pg_index on indrelid = relation.oid
        where not exists (select from pg_constraint where conindid = indexrelid)
        union all
        select 4, 'trigger', relname, 0, pg_get_triggerdef(pg_trigger.oid)
        from relation join pg_trigger on tgrelid = relation.oid and not tgisinternal
        union all
        select 5, 'function', proname, 0,
               concat_ws(' ', 'function', proname || '(' || pg_get_function_arguments(pg_proc.oid) || ')',
                         'returns', pg_get_function_result(pg_proc.oid), 'language', lanname,
                         case provolatile when 'i' then 'immutable' when 's' then 'stable' end,
                         'set ' || proconfig::text, 'body', md5(prosrc))
        from pg_proc join pg_language on pg_language.oid = prolang
        where pronamespace = current_schema()::regnamespace
          and not exists (select from pg_depend where objid = pg_proc.oid and deptype = 'e')
    )
    select line from line order by part, kind collate "C", relname collate "C", n, line collate "C""#;

/// A database of its own, which is migrated by the test.
struct Migrated {
    database: TestDatabase,
    client: Client,
}

impl Migrated {
    async fn new() -> Self {
        let database = TestDatabase::create(None).await.expect("a database");
        migrate(database.url()).await.expect("the database is migrated");
        let client = messenger_postgres::connect(database.url()).await.expect("a connection");
        Self { database, client }
    }

    async fn migrate(&self) {
        migrate(self.database.url()).await.expect("the database is migrated again");
    }

    async fn lines(&self, query: &str) -> Vec<String> {
        let rows = self.client.query(query, &[]).await.expect("rows");
        rows.iter().map(|row| row.get(0)).collect()
    }

    async fn catalog(&self) -> Vec<String> {
        self.lines(CATALOG).await
    }

    /// Returns the applied files with their times.
    async fn applied(&self) -> Vec<String> {
        self.lines(
            "select concat_ws(' ', name, sha256, release::text, applied_at) from applied_functions
             union all select concat_ws(' ', version, checksum, applied_on) from refinery_schema_history
             order by 1",
        )
        .await
    }
}

/// To accept a changed schema: `INSTA_UPDATE=always cargo xtask test --rust-only the_schema_equals`
#[tokio::test]
async fn the_schema_equals_the_snapshot() {
    let schema = Migrated::new().await.catalog().await.join("\n");
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../..");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!("schema", schema));
}

#[tokio::test]
async fn a_second_migration_changes_nothing() {
    let migrated = Migrated::new().await;
    let (catalog, applied) = (migrated.catalog().await, migrated.applied().await);
    migrated.migrate().await;
    assert_eq!(migrated.applied().await, applied);
    assert_eq!(migrated.catalog().await, catalog);
}

/// A database in which an earlier text of `receipts.sql` was applied.
async fn with_another_function(release: &str) -> (Migrated, Vec<String>) {
    let migrated = Migrated::new().await;
    let catalog = migrated.catalog().await;
    migrated
        .client
        .batch_execute(&format!(
            "create or replace function mark_read(p_tenant bigint, p_room text, p_user text)
                 returns table (changed boolean) language sql as 'select true';
             update applied_functions set sha256 = 'another', release = '{release}' where name = 'receipts'"
        ))
        .await
        .expect("the function is replaced");
    assert_ne!(migrated.catalog().await, catalog);
    (migrated, catalog)
}

#[tokio::test]
async fn a_function_file_with_a_changed_text_is_applied_again() {
    let (migrated, catalog) = with_another_function("{0,0,1}").await;
    let before = migrated.applied().await;
    migrated.migrate().await;
    assert_eq!(migrated.catalog().await, catalog);
    let after = migrated.applied().await;
    assert_eq!(after.iter().filter(|line| !before.contains(line)).count(), 1, "the other files stay");
}

#[tokio::test]
async fn an_older_release_leaves_the_functions_of_a_newer_one_alone() {
    let (migrated, _) = with_another_function("{999,0,0}").await;
    let catalog = migrated.catalog().await;
    migrated.migrate().await;
    assert_eq!(migrated.catalog().await, catalog);
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_that_migrate_at_once_apply_everything_once() {
    let database = TestDatabase::create(None).await.expect("a database");
    let processes: Vec<_> = (0..4)
        .map(|_| {
            let url = database.url().to_owned();
            tokio::spawn(async move { migrate(&url).await })
        })
        .collect();
    for process in processes {
        process.await.expect("the task ends").expect("the database is migrated");
    }
    let client = messenger_postgres::connect(database.url()).await.expect("a connection");
    let migrated = Migrated { database, client };
    assert_eq!(migrated.catalog().await, Migrated::new().await.catalog().await);
}
