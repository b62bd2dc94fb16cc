//! The lists of all contract tests, as the macros that generate them. `tests/completeness.rs` compares the
//! lists with the modules.

/// Generates the contract tests of a store. Takes the path of an async function that makes an empty
/// [`Store`](crate::contract::Store). The calling crate needs `tokio` with `macros` and `rt-multi-thread`.
#[macro_export]
macro_rules! contract_tests {
    ($create:path) => {
        $crate::feed_contract_tests!($create);
        $crate::contract_module! { $create, users:
            the_first_sign_in_creates_the_user,
            a_role_is_stored_unchanged,
            signing_in_again_changes_nothing,
            a_changed_name_is_stored,
            a_changed_tenant_moves_the_user,
            a_user_keeps_their_localpart,
            concurrent_first_sign_ins_create_one_user,
            concurrent_sign_ins_with_changes_all_succeed,
            a_user_is_found_in_their_tenant_only,
            a_user_is_found_in_any_tenant,
        }
        $crate::contract_module! { $create, identity:
            an_older_token_changes_nothing,
            a_token_without_iat_is_superseded_by_any_with_iat,
            tokens_in_any_order_lead_to_the_same_identity,
            a_changed_role_is_published_once,
            role_and_rooms_of_a_user_are_read_together,
            an_account_of_the_service_stays_its_own,
            a_foreign_account_belongs_to_no_user_and_is_due_later,
            a_watcher_is_notified_of_each_change,
        }
        $crate::contract_module! { $create, provisioning:
            a_new_account_is_due_until_it_is_provisioned,
            a_claimed_account_cannot_be_claimed_until_the_lease_ends,
            each_account_is_claimed_by_one_worker,
            many_accounts_of_one_tenant_delay_no_other_tenant,
            an_unrelated_change_does_not_make_the_account_due,
            a_changed_name_makes_the_account_due,
            a_changed_tenant_makes_the_account_due,
            a_change_during_provisioning_keeps_the_account_due,
            a_postponed_account_is_due_later,
            the_backoff_of_an_account_grows_with_each_failure,
            a_change_ends_the_backoff,
        }
        $crate::contract_module! { $create, search:
            case_accents_and_sharp_s_are_ignored,
            names_and_ids_are_searched,
            an_empty_text_finds_all_users_by_name,
            prefix_matches_come_first,
            the_caller_is_left_out,
            wildcards_are_plain_characters,
            the_limit_is_respected,
            users_of_other_tenants_are_never_found,
            a_changed_name_is_found,
        }
        $crate::contract_module! { $create, rooms:
            a_room_is_found_once_it_is_registered,
            each_key_has_its_own_room,
            a_claimed_room_cannot_be_claimed,
            one_of_many_may_create_a_room,
            a_claim_ends_with_its_lease,
            a_claim_can_be_released,
            a_claim_returns_a_registered_room,
            a_room_stays_with_the_key_that_got_it_first,
            the_first_registered_room_stays,
            concurrent_registrations_return_one_room,
            a_foreign_room_has_no_tenant,
            rooms_of_all_tenants_are_known,
        }
        $crate::contract_module! { $create, memberships:
            a_user_is_a_member_until_removed,
            each_membership_change_is_published_once,
            concurrent_additions_are_one_change,
            a_change_is_ordered_with_the_messages_of_the_room,
            a_membership_belongs_to_one_user_and_tenant,
            a_moved_user_leaves_the_rooms_of_the_old_tenant,
            each_event_of_a_user_has_the_payload_of_its_typed_form,
        }
        $crate::contract_module! { $create, messages:
            an_event_is_ingested_once,
            events_ingested_concurrently_keep_their_order,
            an_event_without_payload_is_remembered,
            the_last_message_is_the_last_to_arrive,
            a_sender_has_read_the_room_and_is_notified,
            each_change_has_its_event_type,
            memberships_are_ingested_in_order,
            a_member_is_known_in_their_room_and_tenant_only,
            the_last_edit_of_each_sender_is_kept,
            users_are_found_by_their_localparts,
        }
        $crate::contract_module! { $create, message_search:
            parts_of_words_are_found_in_any_spelling,
            pages_of_a_search_join,
            only_members_find_a_message,
            a_search_may_be_limited_to_a_room_and_a_sender,
            a_message_is_found_by_its_last_text,
            restricted_history_is_found_since_the_join,
            messages_of_a_replaced_room_are_found,
            messages_are_found_until_the_retention_is_over,
        }
        $crate::contract_module! { $create, records:
            marks_are_never_removed,
            a_restricted_room_shows_only_events_after_the_join,
            a_member_receives_a_rooms_events_since_the_join,
            a_successor_takes_over_key_members_and_messages,
            a_successor_can_be_replaced_in_turn,
            a_redaction_in_a_replaced_room_reaches_its_successor,
            a_successor_that_was_adopted_first_is_merged,
            a_warning_is_remembered,
        }
        $crate::contract_module! { $create, redactions:
            the_previous_message_becomes_the_last_again,
            a_redacted_message_is_not_unread,
            the_last_of_many_messages_can_be_redacted,
            an_edit_is_known_by_its_id,
            a_redacted_edit_has_no_effect,
            a_file_is_removed_with_its_edit,
            a_redaction_in_another_room_redacts_nothing,
        }
        $crate::contract_module! { $create, reactions:
            each_key_of_a_message_has_the_number_of_its_users,
            own_reactions_are_found_until_they_are_redacted,
            other_reactions_do_not_count,
        }
        $crate::contract_module! { $create, receipts:
            a_receipt_moves_the_read_position_forward_only,
            a_receipt_reports_the_mentions_that_are_left,
            a_receipt_for_an_unknown_event_is_returned,
            receipts_of_non_members_change_nothing,
            receipts_concurrent_with_messages_keep_the_count,
        }
        $crate::contract_module! { $create, reconciliation:
            the_sync_token_is_absent_at_first,
            the_sync_token_passes_to_the_next_worker,
            no_other_worker_reads_during_the_lease,
            a_worker_without_the_lease_moves_nothing,
            a_released_lease_passes_on_at_once,
            the_time_of_the_last_move_is_known,
            the_time_since_a_push_is_known,
            one_of_many_concurrent_workers_reads,
        }
        $crate::contract_module! { $create, room_views:
            a_room_has_the_name_type_and_fields_of_its_kind,
            a_direct_chat_is_named_after_the_partner,
            a_room_is_seen_by_its_members_only,
            members_are_sorted_by_name,
            users_are_found_in_their_tenant_only,
            the_directory_lists_entity_and_service_rooms,
            joins_and_leaves_are_published_with_the_room,
            a_room_is_registered_with_its_first_members,
            reading_again_is_no_change,
            rooms_are_listed_by_the_arrival_of_their_last_message,
            a_member_sees_their_read_position_and_unread_mentions,
            a_member_mutes_a_room_for_all_devices,
        }
        $crate::contract_module! { $create, pending_leaves:
            a_leaving_user_is_no_member_and_their_leave_is_due,
            a_pending_leave_is_claimed_by_one_worker_until_the_lease_ends,
            a_pending_leave_can_be_cancelled,
            a_postponed_leave_is_due_later,
            retry_now_ends_the_backoff_of_a_leave,
            a_user_who_moves_leaves_all_rooms,
            a_user_who_moved_before_joining_leaves_again,
        }
        $crate::contract_module! { $create, external:
            the_last_decision_on_access_counts,
            users_with_access_are_listed_page_by_page,
            access_belongs_to_one_tenant,
            access_changes_under_the_expected_version_only,
            a_password_is_loaded_as_it_was_stored,
            one_of_many_concurrent_calls_stores_a_password,
            disabled_access_is_due_to_be_revoked,
            one_caller_revokes_at_a_time,
            a_failed_revocation_is_due_later,
            a_late_revocation_voids_the_next_password,
        }
        $crate::contract_module! { $create, accept:
            a_notification_is_stored_as_it_was_accepted,
            the_origin_of_a_notification_is_stored_with_it,
            notification_ids_grow,
            the_live_event_is_appended_on_acceptance,
            the_queue_is_due_at_once_if_no_caller_waits,
            a_known_key_stores_nothing,
            a_repeated_call_returns_the_present_state,
            a_repeated_call_learns_that_the_first_is_in_flight,
            a_key_belongs_to_one_token_and_tenant,
            calls_without_a_key_are_all_new,
            concurrent_calls_with_one_key_store_once,
            concurrent_notifications_are_all_stored,
            an_invalid_notification_fails_alone,
            tokens_and_keys_may_be_any_text,
        }
        $crate::contract_module! { $create, queue_state:
            a_notification_is_free_in_an_empty_queue,
            a_notification_in_flight_blocks_no_other,
            an_answered_notification_goes_first,
            a_queued_notification_is_left_to_the_worker,
            a_notification_blocks_once_its_caller_ran_out_of_time,
            queues_do_not_wait_for_each_other,
            a_rejected_notification_blocks_no_other,
            no_caller_waits_for_a_queue_in_backoff,
            a_notification_is_queued_after_the_backoff,
            waiting_for_a_caller_is_no_backoff,
        }
        $crate::contract_module! { $create, held_messages:
            a_message_to_an_unknown_user_is_held,
            a_held_message_is_neither_published_nor_due,
            a_held_message_is_accepted_once,
            the_first_sign_in_releases_held_messages,
            no_other_sign_in_releases_held_messages,
            moving_into_the_tenant_releases_held_messages,
            held_messages_go_before_later_ones,
            a_message_never_misses_a_concurrent_sign_in,
            a_queue_may_wait_for_a_sign_in,
            a_held_message_is_announced_once,
            an_announced_notification_is_not_announced_again,
        }
        $crate::contract_module! { $create, queues:
            no_queue_is_due_in_an_empty_store,
            a_claimed_queue_cannot_be_claimed_again,
            each_queue_is_claimed_by_one_worker,
            a_queue_is_free_when_the_lease_ends,
            reading_a_queue_renews_the_lease,
            a_queue_returns_undelivered_notifications_oldest_first,
            an_empty_queue_is_not_due,
            a_notification_accepted_before_the_release_keeps_a_queue_due,
            a_retried_queue_is_due_at_once,
            a_retried_queue_stays_with_its_worker,
            no_notification_is_left_behind_when_arrivals_and_workers_race,
            a_queue_is_due_again_after_the_retry_delay,
            a_notification_in_flight_passes_to_the_worker_at_the_callers_timeout,
            a_sign_in_before_the_release_keeps_a_queue_due,
        }
        $crate::contract_module! { $create, outbox:
            a_sent_notification_names_its_room_and_event,
            a_sent_notification_is_published_once_to_its_audience,
            a_rejected_notification_names_the_reason,
            a_sent_notification_stays_sent,
            a_postponed_notification_names_the_reason_and_the_next_attempt,
            the_queue_of_a_postponed_notification_backs_off,
            a_new_notification_does_not_shorten_a_backoff,
            a_backoff_does_not_change_the_order,
            the_history_has_each_failed_attempt_and_the_delivery,
            a_rejection_is_the_last_attempt,
        }
        $crate::contract_module! { $create, notifications:
            the_log_lists_the_notifications_of_a_tenant_newest_first,
            the_log_can_be_limited_to_one_app,
            the_log_is_read_page_by_page,
            a_notification_is_found_in_its_tenant_only,
            an_installation_has_one_id,
        }
        $crate::contract_module! { $create, inbox:
            an_inbox_has_what_its_user_is_the_audience_of,
            a_user_has_an_inbox_in_their_present_tenant_only,
            pages_of_an_inbox_join,
            each_filter_of_an_inbox_selects_what_it_names,
            an_inbox_is_searched_by_parts_of_words,
            a_user_has_read_what_they_named,
            reading_an_inbox_is_published_once,
            what_is_not_in_the_inbox_cannot_be_read,
            what_several_devices_read_adds_up,
            earlier_notifications_are_read_for_a_new_user,
            a_held_message_is_unread_once_it_is_announced,
            many_unread_notifications_are_counted_up_to_a_limit,
        }
        $crate::contract_module! { $create, maintenance:
            work_returns_when_a_notification_is_accepted,
            work_returns_when_a_user_signs_in,
            work_returns_at_the_timeout,
            due_work_is_not_backing_off,
            the_backlog_counts_pending_and_held_notifications,
            the_backlog_has_the_oldest_due_queue_that_is_not_claimed,
            the_backlog_has_the_lease_on_reconciliation,
            retry_now_ends_the_backoff_of_a_queue,
            retry_now_ends_the_backoff_of_an_account,
            retry_now_leaves_leases_alone,
            nothing_expires_before_its_time,
            rotation_keeps_young_events_and_keys,
        }
        $crate::contract_module! { $create, files:
            members_of_a_room_may_read_its_files,
            only_the_owner_of_a_file_shares_it,
            a_file_always_belongs_to_its_first_sender,
            a_file_belongs_to_its_uploader,
        }
        $crate::contract_module! { $create, cursors:
            a_new_reader_has_no_cursor,
            the_last_stored_cursor_is_loaded,
            each_reader_of_each_user_has_a_cursor_of_its_own,
            a_reader_may_store_cursors_concurrently,
        }
        $crate::contract_module! { $create, ephemeral_bus:
            every_listener_receives_an_ephemeral_event_unchanged,
            ephemeral_events_arrive_in_order,
            the_longest_ephemeral_event_arrives,
            ephemeral_events_are_not_stored_in_the_log,
            an_idle_listener_delays_no_other,
        }
    };
}

/// Generates the contract tests of the event log, for stores whose feed is another one's copy.
#[macro_export]
macro_rules! feed_contract_tests {
    ($create:path) => {
        $crate::contract_module! { $create, feed:
            a_new_log_is_empty,
            each_event_gets_the_next_position,
            appending_nothing_changes_nothing,
            an_event_is_read_as_it_was_appended,
            each_key_is_appended_once,
            keys_that_look_alike_are_different,
            events_without_a_key_are_all_new,
            a_key_appended_concurrently_is_one_event,
            after_and_next_return_the_events_behind_the_cursor,
            the_head_is_the_last_position,
            no_position_appears_behind_a_reader,
            a_wait_ends_when_an_event_is_appended,
            a_wait_ends_at_its_timeout,
            an_event_names_its_room,
        }
        $crate::contract_module! { $create, audience:
            an_audience_receives_its_events_and_no_others,
            several_audiences_receive_the_union_in_order,
            an_audience_named_twice_receives_each_event_once,
            an_audience_is_read_from_its_own_position,
            an_empty_list_of_audiences_receives_nothing,
        }
        $crate::contract_module! { $create, redacted_payloads:
            a_redacted_message_is_empty_in_every_payload,
            a_redacted_edit_is_empty_and_its_message_is_not,
            a_redacted_reaction_is_empty,
            an_event_that_arrives_after_its_redaction_is_not_published,
            an_edit_redacted_after_its_message_publishes_nothing,
            a_redaction_in_another_room_empties_nothing,
        }
    };
}

/// Generates the contract tests that need days to pass.
#[macro_export]
macro_rules! ageing_contract_tests {
    ($create:path) => {
        $crate::contract_module! { $create, ageing:
            a_held_message_expires_and_no_sign_in_releases_it,
            an_expired_message_is_not_delivered,
            events_older_than_the_retention_are_dropped,
            positions_continue_after_all_events_were_dropped,
            idempotency_keys_are_forgotten_after_a_week,
        }
    };
}

/// Generates the contract tests of alarms; `$create` makes an
/// [`AlarmStore`](crate::contract::AlarmStore).
#[macro_export]
macro_rules! alarm_contract_tests {
    ($create:path) => {
        $crate::contract_module! { $create, alarms:
            a_change_is_stored_as_a_whole,
            a_stale_change_stores_nothing,
            concurrent_steps_count_each_input_once,
            an_alarm_is_claimed_when_its_next_step_is_due,
            a_waiting_input_is_claimed_after_a_second,
            an_alarm_belongs_to_one_tenant,
            a_journal_is_read_page_by_page,
            alarms_are_listed_for_their_readers,
            alarms_are_found_by_their_newest_episode,
            an_alarm_is_found_by_its_notifications,
        }
        $crate::contract_module! { $create, alarm_histories:
            killed_workers_agree_with_a_naive_fold,
        }
        $crate::contract_module! { $create, alarm_messages:
            a_root_message_tells_all_inputs_until_then,
            a_repeated_root_message_tells_its_first_revision,
            a_root_message_in_another_room_is_another_one,
            a_state_is_shown_at_once_and_a_counter_later,
            a_redacted_root_message_gets_a_successor,
            a_ring_begins_before_an_acknowledgement_or_never,
            a_sent_ring_is_a_message_of_its_alarm,
            a_root_message_rings_for_earlier_changes,
            an_input_that_changes_nothing_is_done_at_once,
            an_input_that_changes_nothing_is_done_during_a_message,
            a_rejected_message_fails_its_notifications,
            an_alarm_of_an_unknown_user_waits,
            a_notification_does_not_overtake_a_root_message,
            a_failed_message_postpones_its_room_queue,
            an_ingested_act_is_an_input_of_its_alarm,
            an_act_of_another_user_or_tenant_has_no_effect,
            a_message_of_an_alarm_is_known_from_its_room,
            only_an_announced_notification_is_published_as_sent,
            the_backlog_counts_due_messages,
        }
    };
}

/// Generates the contract tests of a homeserver; `$create` makes a
/// [`TestHomeserver`](crate::contract::TestHomeserver).
#[macro_export]
macro_rules! homeserver_contract_tests {
    ($create:path) => {
        $crate::contract_module! { $create, homeserver:
            the_homeserver_answers_a_ping,
            an_account_can_be_claimed_again,
            an_account_can_be_ensured_again,
            an_account_can_be_ensured_concurrently,
            an_alias_names_one_room,
            concurrent_creations_end_in_one_room,
            a_direct_room_invites_its_partner,
            a_user_can_be_joined_again,
            a_closed_room_is_empty_and_its_alias_is_free,
            a_transaction_sends_once,
            a_transaction_sent_concurrently_is_one_event,
            sending_to_an_unknown_room_is_rejected,
        }
    };
}

/// Generates the tests of one module of the contract.
#[doc(hidden)]
#[macro_export]
macro_rules! contract_module {
    ($create:path, $module:ident: $($test:ident,)*) => {
        mod $module {
            use super::*;

            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() -> $crate::ContractResult {
                    let subject = $create().await;
                    $crate::contract::$module::$test(&subject).await
                }
            )*
        }
    };
}
