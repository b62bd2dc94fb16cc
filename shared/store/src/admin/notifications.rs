//! Notifications as administrators find and change them.

use async_trait::async_trait;
use jiff::Timestamp;
use messenger_core::{
    Result,
    admin::{
        Administrator,
        notifications::{
            ActResult, CountStep, HeldCursor, HeldMessage, NotificationAct, NotificationFilter,
            NotificationPage, NotificationRecipient, NotificationRecipients, NotificationRecord,
            ReaddressOutcome,
        },
    },
    error::Failure,
    id::{HubUserId, NotificationId, TenantId},
    notification::{HELD_FOR, Notification, Status},
    port::AdminNotifications,
    room::{RoomKey, RoomKind},
};
use tokio_postgres::Row;

use crate::{
    PgStore,
    admin::{
        ActParameters,
        notification_search::{COUNT, PAGE, Search},
    },
    error::fault,
    notifications::row::{self, READING, columns, notification},
    pool::{duration, seconds},
};

const HELD: &str = concat!(
    "select ",
    columns!(),
    ", extract(epoch from now() - created_at)::double precision as age from notifications
    where status = 'pending' and expires_at is not null and expires_at > now() and not announced
      and tenant_id = $1 and (expires_at, id) > (coalesce($2::timestamptz, '-infinity'), $3::bigint)
    order by expires_at, id limit $4"
);
const CHANGE: &str =
    "select id, status, changed from change_notifications($1, array[$2::bigint], $3, $4, $5, $6, $7)";
const READDRESS: &str = "select outcome, status from readdress_notification($1, $2, $3, $4, $5, $6, $7, $8)";
/// A member who joined later was no recipient. The inbox counts before the room: a user who marks a notification
/// as read there has seen it, wherever the read position of the room is. The number of an event that is no
/// recent message any more is smaller than that of the oldest recent one, if that one is younger.
const RECIPIENTS: &str = "with room as (
        select coalesce((select current from former_rooms where matrix_room_id = $2), $2) as id
    ), oldest as (
        select number, received_at from recent_messages, room
        where tenant_id = $1 and matrix_room_id = room.id order by number limit 1)
    select member.hub_user_id, users.display_name,
        case when member.joined_at > $4 then null
             when coalesce(exception.is_read, marks.read_up_to >= $5) then true
             when message.number is not null then member.read_count >= message.number
             when oldest.received_at > $4 and member.read_count >= oldest.number then true end,
        count(*) over ()
    from room
    join room_members member on member.tenant_id = $1 and member.matrix_room_id = room.id
    join users on users.hub_user_id = member.hub_user_id
    left join recent_messages message on message.tenant_id = $1 and message.matrix_room_id = room.id
        and message.event_id = $3
    left join oldest on true
    left join inbox_marks marks on marks.tenant_id = $1 and marks.hub_user_id = member.hub_user_id
    left join inbox_exceptions exception on exception.tenant_id = $1
        and exception.hub_user_id = member.hub_user_id and exception.notification_id = $5
    order by member.hub_user_id limit 500";

#[async_trait]
impl AdminNotifications for PgStore {
    async fn page(
        &self,
        tenant: TenantId,
        filter: &NotificationFilter,
        before: Option<NotificationId>,
        limit: i64,
    ) -> Result<NotificationPage> {
        let search = Search::newest(tenant, filter, last(before), Some(limit));
        let rows = self.database.query(READING, PAGE, &search.parameters()).await?;
        let searched: Option<(i64, Timestamp)> = rows
            .first()
            .and_then(|row| row.get::<_, Option<i64>>("searched").zip(row.get("created_at_searched")));
        let found = rows.iter().filter(|row| row.get::<_, Option<i64>>(0).is_some());
        let notifications = found.map(record).collect::<Result<Vec<_>>>()?;
        let is_full = i64::try_from(notifications.len()).is_ok_and(|length| length == limit);
        Ok(NotificationPage {
            next: searched.map(|(id, _)| NotificationId(id)),
            searched_until: searched.filter(|_| !is_full).map(|(_, time)| time),
            notifications,
        })
    }

    async fn count(
        &self,
        tenant: TenantId,
        filter: &NotificationFilter,
        before: Option<NotificationId>,
    ) -> Result<CountStep> {
        let search = Search::newest(tenant, filter, last(before), None);
        let row = self.database.query_one("counting notifications", COUNT, &search.parameters()).await?;
        Ok(CountStep { matched: row.get(0), next: row.get::<_, Option<i64>>(1).map(NotificationId) })
    }

    async fn held(
        &self,
        tenant: TenantId,
        after: Option<HeldCursor>,
        limit: i64,
    ) -> Result<Vec<HeldMessage>> {
        let (expires_at, id) = (after.map(|after| after.expires_at), after.map_or(0, |after| after.id.0));
        let rows = self.database.query(READING, HELD, &[&tenant.0, &expires_at, &id, &limit]).await?;
        let held = rows.iter().map(|row| {
            let age = duration(row.get("age"));
            Ok(HeldMessage { notification: notification(row)?, age })
        });
        held.collect()
    }

    async fn change(
        &self,
        administrator: &Administrator,
        act: NotificationAct,
        id: NotificationId,
    ) -> Result<Option<ActResult>> {
        let (tenant, by) = (administrator.tenant, ActParameters::from(administrator));
        let row = self
            .database
            .query_opt(
                "changing a notification",
                CHANGE,
                &[
                    &act.action(),
                    &id.0,
                    &seconds(HELD_FOR),
                    &tenant.0,
                    &by.actor,
                    &by.address,
                    &by.request_id,
                ],
            )
            .await?;
        row.as_ref().map(result).transpose()
    }

    async fn readdress(
        &self,
        administrator: &Administrator,
        id: NotificationId,
        to: &HubUserId,
    ) -> Result<ReaddressOutcome> {
        const READDRESSING: &str = "readdressing a notification";
        let (tenant, by) = (administrator.tenant, ActParameters::from(administrator));
        let queue = RoomKey { tenant, kind: RoomKind::BotDm { user: to.clone() } }.to_string();
        let row = self
            .database
            .query_one(
                READDRESSING,
                READDRESS,
                &[
                    &id.0,
                    &to.as_str(),
                    &queue,
                    &seconds(HELD_FOR),
                    &tenant.0,
                    &by.actor,
                    &by.address,
                    &by.request_id,
                ],
            )
            .await?;
        match row.get(0) {
            "readdressed" => Ok(ReaddressOutcome::Readdressed),
            "unknown_notification" => Ok(ReaddressOutcome::UnknownNotification),
            "unknown_user" => Ok(ReaddressOutcome::UnknownUser),
            "not_held" => Ok(ReaddressOutcome::NotHeld(status(row.get(1))?)),
            _ => Err(fault(Failure::Broken, READDRESSING, "an unknown outcome")),
        }
    }

    async fn recipients(
        &self,
        notification: &Notification,
        sent_at: Option<Timestamp>,
    ) -> Result<NotificationRecipients> {
        let (Some(room), Some(event)) = (&notification.room, &notification.event) else {
            return Ok(NotificationRecipients::default());
        };
        let tenant = notification.tenant;
        let rows = self
            .database
            .query(
                "reading the recipients of a notification",
                RECIPIENTS,
                &[&tenant.0, &room.as_str(), &event.as_str(), &sent_at, &notification.id.0],
            )
            .await?;
        let total = rows.first().map_or(0, |row| row.get(3));
        let users = rows.iter().map(|row| NotificationRecipient {
            user: HubUserId::new(row.get::<_, String>(0)),
            display_name: row.get(1),
            has_read: row.get(2),
        });
        Ok(NotificationRecipients { users: users.collect(), total })
    }
}

/// Reads a row of `id, status, changed`.
pub(crate) fn result(row: &Row) -> Result<ActResult> {
    Ok(ActResult { id: NotificationId(row.get(0)), before: status(row.get(1))?, changed: row.get(2) })
}

fn status(stored: &str) -> Result<Status> {
    row::status(stored).ok_or_else(|| fault(Failure::Broken, READING, "a notification has an unknown status"))
}

fn record(row: &Row) -> Result<NotificationRecord> {
    let (announced_at, sent_at) = (row.get("announced_at"), row.get("sent_at"));
    Ok(NotificationRecord { notification: notification(row)?, announced_at, sent_at })
}

/// Returns the largest id of a search.
fn last(before: Option<NotificationId>) -> i64 {
    before.map_or(i64::MAX, |before| before.0 - 1)
}
