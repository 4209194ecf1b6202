//! Migrations on real PostgreSQL: on nothing, twice, on a database of TMT with rows in it.

#[path = "support/database.rs"]
mod database;

use database::empty_database;
use tmt::store::migrate::{LATEST, MIGRATIONS, Mode, Standing, migrate, standing};

#[tokio::test]
async fn an_empty_database_gets_every_file_once() {
    let database = empty_database().await;
    let client = database.client().await;
    assert_eq!(standing(&client).await.unwrap(), Standing::Empty);

    let first = migrate(&client, Mode::Fresh).await.unwrap();
    let second = migrate(&client, Mode::Fresh).await.unwrap();

    assert_eq!(first.applied, MIGRATIONS.iter().collect::<Vec<_>>());
    assert_eq!((first.from, first.to, first.adopted), (0, LATEST, false));
    assert!(second.applied.is_empty());
    assert_eq!(standing(&client).await.unwrap(), Standing::Managed { version: LATEST });
}
