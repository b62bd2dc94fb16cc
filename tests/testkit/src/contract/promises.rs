//! The list of all promises, as the macros that make tests of them. `tests/completeness.rs` compares it
//! with what is written.

/// Makes a test of each promise that a store gives. Takes the path of an async function that makes a
/// fresh [`Store`](crate::contract::Store). The calling crate needs `tokio` with `macros` and
/// `rt-multi-thread`.
#[macro_export]
macro_rules! contract_tests {
    ($fresh:path) => {
        $crate::promises! { $fresh, users:
            the_first_sign_in_creates_the_user,
            a_role_comes_back_as_it_was,
            signing_in_again_changes_nothing,
            a_changed_name_is_taken_over,
            a_changed_tenant_moves_the_user,
            a_user_keeps_their_localpart,
            parallel_first_sign_ins_make_one_user,
            parallel_sign_ins_with_changes_all_succeed,
            a_user_is_found_in_their_tenant_only,
            a_user_is_found_in_any_tenant,
        }
        $crate::promises! { $fresh, identity:
            an_older_token_changes_nothing,
            a_token_without_a_time_is_superseded_by_any_with_one,
            tokens_shown_in_any_order_leave_the_same_identity,
            a_changed_role_is_told_once,
            role_and_rooms_of_a_user_are_read_together,
            an_account_of_ours_stays_ours,
            a_taken_account_is_nobodys_and_due_later,
            a_watcher_hears_of_each_change,
        }
        $crate::promises! { $fresh, due:
            a_new_account_is_due_until_it_is_ready,
            a_claimed_account_is_nobody_elses_until_the_lease_ends,
            each_account_is_claimed_by_one_worker,
            many_accounts_of_a_tenant_delay_no_other,
            what_does_not_concern_the_account_does_not_make_it_due,
            a_changed_name_makes_the_account_due,
            a_changed_tenant_makes_the_account_due,
            a_change_during_the_work_stays_due,
            a_postponed_account_is_due_later,
            an_account_rests_longer_with_each_failure,
            a_change_ends_the_rest,
        }
        $crate::promises! { $fresh, search:
            case_accents_and_sharp_s_do_not_matter,
            names_and_ids_are_searched,
            no_text_finds_everybody_by_name,
            prefix_matches_come_first,
            who_asks_is_left_out,
            wildcards_mean_themselves,
            at_most_so_many_are_found,
            other_tenants_are_never_found,
            a_changed_name_is_found,
        }
        $crate::promises! { $fresh, rooms:
            a_room_is_found_once_it_is_settled,
            each_key_has_its_own_room,
            a_claimed_room_is_taken,
            one_of_many_may_create_a_room,
            a_claim_ends_with_its_lease,
            a_claim_can_be_given_back,
            a_settled_room_answers_claims,
            the_first_settled_room_stays,
            all_who_settle_at_once_get_one_room,
            a_foreign_room_has_no_tenant,
            known_are_the_rooms_of_all_tenants,
        }
        $crate::promises! { $fresh, memberships:
            a_user_is_in_a_room_until_removed,
            each_change_is_told_once,
            many_additions_at_once_are_one_change,
            a_change_is_ordered_with_the_messages_of_the_room,
            memberships_are_of_one_user_and_tenant,
            a_moved_user_leaves_the_rooms_of_the_old_tenant,
        }
        $crate::promises! { $fresh, messages:
            an_event_is_taken_in_once,
            events_taken_in_by_many_at_once_keep_their_order,
            what_is_told_to_nobody_is_known,
            the_last_message_is_the_one_that_came_last,
            who_writes_has_read_and_is_told_so,
            changes_are_told_by_their_type,
            memberships_are_taken_in_in_order,
            a_member_is_known_in_their_room_and_tenant_only,
            the_last_edit_of_each_is_kept,
            people_are_found_by_their_localparts,
        }
        $crate::promises! { $fresh, records:
            marks_are_never_taken_away,
            a_restricted_room_shows_what_came_after_the_member,
            a_member_hears_a_room_since_they_joined,
            a_room_takes_the_place_of_another,
            a_successor_can_be_replaced_in_turn,
            a_redaction_in_a_replaced_room_reaches_its_successor,
            a_successor_that_was_adopted_first_is_merged,
            a_warning_is_remembered,
            a_new_room_needs_no_correction,
        }
        $crate::promises! { $fresh, redactions:
            the_message_before_is_the_last_one_again,
            what_is_taken_back_is_not_unread,
            the_last_of_many_can_be_taken_back,
            an_edit_is_known_by_its_id,
            an_edit_that_is_taken_back_counts_no_more,
            a_file_goes_with_the_edit_that_brought_it,
            a_redaction_in_another_room_takes_nothing_back,
        }
        $crate::promises! { $fresh, emptied:
            a_redacted_message_is_empty_wherever_it_was_told,
            a_redacted_edit_is_empty_and_its_message_is_not,
            a_redacted_reaction_is_empty,
            what_arrives_after_its_redaction_is_not_told,
            an_edit_redacted_after_its_message_tells_nothing,
            a_redaction_in_another_room_empties_nothing,
        }
        $crate::promises! { $fresh, receipts:
            a_receipt_moves_the_read_position_forward_only,
            a_receipt_of_no_known_message_is_named,
            receipts_of_others_change_nothing,
            receipts_at_once_with_messages_keep_the_count,
        }
        $crate::promises! { $fresh, reconciliation:
            at_first_nothing_was_read,
            the_position_stays_for_who_comes_next,
            nobody_else_reads_while_the_lease_lasts,
            who_lost_the_lease_moves_nothing,
            when_the_position_moved_is_known,
            the_time_since_a_push_is_known,
            of_many_at_once_one_reads,
        }
        $crate::promises! { $fresh, room_views:
            a_room_is_shown_as_its_members_know_it,
            a_direct_chat_is_named_after_the_other,
            a_room_is_seen_by_its_members_only,
            members_come_by_name,
            people_are_found_in_their_tenant_only,
            the_directory_has_what_everybody_may_open,
            who_comes_and_goes_is_told_of_the_whole_room,
            a_room_comes_with_its_first_members,
            reading_again_is_no_change,
            rooms_are_listed_by_the_arrival_of_their_last_message,
        }
        $crate::promises! { $fresh, pending_leaves:
            who_departs_is_out_and_due,
            a_departure_is_one_workers_until_the_lease_ends,
            a_departure_can_be_cancelled,
            a_postponed_departure_is_due_later,
            a_resting_departure_is_woken,
            who_moves_leaves_all_rooms,
            a_user_who_moved_before_joining_leaves_again,
        }
        $crate::promises! { $fresh, external:
            access_is_what_was_decided_last,
            those_who_have_access_are_listed_page_by_page,
            access_is_of_one_tenant,
            a_password_comes_back_as_it_was_stored,
            one_of_many_stores_a_password,
            what_is_withdrawn_is_due_to_be_revoked,
            a_failed_revocation_is_due_later,
            a_late_revocation_voids_the_next_password,
        }
        $crate::promises! { $fresh, accept:
            a_notification_is_stored_as_it_was_said,
            ids_grow,
            the_live_event_is_there_at_once,
            the_queue_is_due_at_once_if_nobody_waits,
            a_known_key_stores_nothing,
            a_repeated_call_gets_the_present_state,
            a_repeated_call_is_told_that_the_first_is_in_flight,
            a_key_is_of_one_token_and_tenant,
            calls_without_a_key_are_all_new,
            many_calls_with_one_key_store_once,
            many_at_once_are_all_stored,
            what_cannot_be_stored_fails_alone,
            tokens_and_keys_may_be_any_text,
        }
        $crate::promises! { $fresh, place:
            with_nothing_before_it_is_free,
            what_its_caller_still_delivers_blocks_nobody,
            what_was_answered_earlier_goes_first,
            what_is_queued_is_the_workers,
            a_caller_who_ran_out_of_time_blocks,
            queues_do_not_wait_for_each_other,
            what_failed_for_good_blocks_nobody,
            in_a_resting_queue_nobody_waits,
            after_the_rest_it_is_queued,
            waiting_for_a_caller_is_no_rest_after_a_failure,
        }
        $crate::promises! { $fresh, held:
            a_message_to_an_unknown_user_is_held,
            what_is_held_is_neither_told_nor_due,
            what_is_held_is_accepted_once,
            the_first_sign_in_releases_it,
            no_other_sign_in_releases_it,
            moving_into_the_tenant_releases_it,
            what_was_held_goes_first,
            a_message_never_misses_the_sign_in,
            a_queue_may_wait_for_a_sign_in,
            what_was_held_is_announced_once,
            what_was_told_already_is_not_announced,
        }
        $crate::promises! { $fresh, queues:
            nothing_is_due_in_a_fresh_store,
            a_claimed_queue_is_nobody_elses,
            each_queue_is_claimed_by_one_worker,
            a_queue_is_free_when_the_lease_ends,
            reading_a_queue_renews_the_lease,
            a_queue_gives_its_undelivered_oldest_first,
            an_idle_queue_is_not_due,
            what_came_in_meanwhile_keeps_a_queue_due,
            leaving_with_no_version_ends_a_rest,
            nothing_stays_behind_when_arrivals_and_workers_race,
            a_queue_that_rests_for_a_time_is_due_after_it,
            what_a_caller_delivers_becomes_the_workers,
            a_sign_in_meanwhile_keeps_a_queue_due,
        }
        $crate::promises! { $fresh, outbox:
            what_was_sent_says_where,
            what_failed_says_why,
            what_was_sent_stays_sent,
            what_was_postponed_says_why_and_when,
            the_queue_of_what_was_postponed_rests,
            a_new_notification_does_not_shorten_a_rest,
            a_rest_does_not_change_the_order,
        }
        $crate::promises! { $fresh, notifications:
            the_log_lists_a_tenants_newest_first,
            the_log_of_one_app,
            the_log_is_read_page_by_page,
            a_notification_is_found_in_its_tenant_only,
            an_installation_has_one_name,
        }
        $crate::promises! { $fresh, maintenance:
            work_returns_when_there_is_some,
            a_sign_in_is_work,
            work_returns_when_patience_ends,
            what_is_due_does_not_rest,
            a_resting_queue_is_woken,
            a_resting_account_is_woken,
            waking_leaves_leases_alone,
            nothing_expires_before_its_time,
            making_room_keeps_what_is_young,
        }
        $crate::promises! { $fresh, feed:
            a_fresh_log_has_nothing,
            each_event_gets_the_next_position,
            appending_nothing_changes_nothing,
            an_event_comes_back_as_it_was_appended,
            each_key_is_appended_once,
            keys_that_look_alike_are_different,
            events_without_a_key_are_all_new,
            one_key_appended_by_many_is_one_event,
            after_and_next_give_what_follows_the_cursor,
            the_head_is_the_last_position,
            a_reader_never_finds_a_position_behind_it,
            changed_returns_when_something_is_appended,
            changed_returns_when_patience_ends,
        }
        $crate::promises! { $fresh, audience:
            an_audience_hears_its_own_and_nothing_else,
            several_audiences_hear_the_union_in_order,
            an_audience_named_twice_hears_once,
            no_audience_hears_nothing,
        }
        $crate::promises! { $fresh, files:
            a_file_is_for_the_members_of_its_room,
            only_the_owner_of_a_file_shows_it_to_others,
            a_file_belongs_to_its_first_sender_for_good,
            a_file_belongs_to_its_uploader,
        }
        $crate::promises! { $fresh, cursors:
            a_reader_that_never_read_has_no_cursor,
            a_cursor_is_where_it_was_put_last,
            each_reader_of_each_user_has_a_cursor_of_its_own,
            one_reader_may_store_in_parallel,
        }
        $crate::promises! { $fresh, ephemeral_bus:
            everybody_who_listens_hears_a_ephemeral_event_as_it_was_said,
            ephemeral_events_come_in_order,
            the_longest_ephemeral_event_arrives,
            ephemeral_events_stand_in_no_log,
            who_does_not_listen_holds_nobody_up,
        }
    };
}

/// The same for the promises that need days to pass.
#[macro_export]
macro_rules! ageing_contract_tests {
    ($fresh:path) => {
        $crate::promises! { $fresh, ageing:
            what_is_held_for_too_long_expires,
            what_is_past_its_time_is_not_delivered,
            days_before_the_retention_are_dropped,
            positions_go_on_when_everything_was_dropped,
            retry_keys_are_forgotten_after_a_week,
        }
    };
}

/// The same for the promises of a homeserver; `$fresh` makes a [`Home`](crate::contract::Home).
#[macro_export]
macro_rules! homeserver_contract_tests {
    ($fresh:path) => {
        $crate::promises! { $fresh, homeserver:
            it_answers,
            an_account_can_be_claimed_again,
            an_account_can_be_ensured_again,
            an_account_can_be_ensured_in_parallel,
            an_alias_names_one_room,
            attempts_at_once_end_in_one_room,
            a_direct_room_invites_its_partner,
            a_user_can_be_joined_again,
            a_transaction_sends_once,
            a_transaction_sent_twice_at_once_is_one_event,
            sending_to_no_room_is_refused_for_good,
        }
    };
}

/// The tests of one module of the contract.
#[doc(hidden)]
#[macro_export]
macro_rules! promises {
    ($fresh:path, $module:ident: $($promise:ident,)*) => {
        mod $module {
            use super::*;

            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $promise() -> $crate::Kept {
                    let fresh = $fresh().await;
                    $crate::contract::$module::$promise(&fresh).await
                }
            )*
        }
    };
}
