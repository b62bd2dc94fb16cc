//! Copies the data that processes without a database need besides events: the rights of users, and the id of
//! the copy.
//!
//! Rights are written before the head moves beyond their changes. A reader that reads the head, and then the
//! rights of a user, has all changes of them up to that head.

use futures::future::try_join_all;
use messenger_core::id::Position;

use super::{DynamoRelay, Ended, lease::Held};
use crate::table::{Head, Pointer};

/// The most users that are read at once.
const USERS: i64 = 200;
/// The most users that are written at once.
const WRITES: usize = 16;

impl DynamoRelay {
    /// Writes all users who are due. Returns the head, which has the position as of which they were read.
    pub(super) async fn copy_readers(&self, lease: &mut Held, mut head: Head) -> Result<Head, Ended> {
        loop {
            let due = self.ports.readers.changed(USERS).await?;
            if due.changes.is_empty() {
                return Ok(head);
            }
            head = self.announce_readers(lease, head, due.position).await?;
            for users in due.changes.chunks(WRITES) {
                lease.keep().await?;
                let keys = lease.keys();
                let writes: Vec<_> =
                    users.iter().map(|user| self.table.write_reader(keys, due.position, user)).collect();
                try_join_all(writes).await?;
            }
            self.ports.readers.copied(&due.changes).await?;
            if i64::try_from(due.changes.len()).is_ok_and(|count| count < USERS) {
                return Ok(head);
            }
        }
    }

    /// Announces a position as of which users are written, and stores it with the head. A database that
    /// lacks its last commits then shows that the copy is of another log.
    async fn announce_readers(
        &self,
        lease: &mut Held,
        head: Head,
        position: Position,
    ) -> Result<Head, Ended> {
        if position <= head.readers {
            return Ok(head);
        }
        lease.announce(position).await?;
        let announced = Head { readers: position, ..head };
        if self.table.move_head(lease.keys(), head.position(), announced).await? {
            Ok(announced)
        } else {
            Err(Ended::Lost)
        }
    }

    /// Stores the id of the copy, and that its relay works.
    pub(super) async fn point(&self, lease: &mut Held) -> Result<(), Ended> {
        lease.keep().await?;
        let pointer = Pointer { keys: lease.keys().clone(), worked_at: self.ports.clock.now() };
        Ok(self.table.point(&self.installation, &pointer).await?)
    }
}
