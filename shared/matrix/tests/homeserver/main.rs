//! Tests of the homeserver ports on real homeservers: always on Synapse, and on Conduit on request.

mod client;
mod conduit;
mod contract;
mod fixture;
mod gateway;
mod synapse;

/// Defines each test of the contract once for each homeserver. A test without a homeserver fails.
macro_rules! contract {
    ($($group:ident: $($name:ident)*;)*) => {
        mod on_synapse {
            $($(
                #[tokio::test(flavor = "multi_thread")]
                async fn $name() -> anyhow::Result<()> {
                    crate::contract::$group::$name(crate::fixture::Fixture::synapse().await?).await
                }
            )*)*
        }

        mod on_conduit {
            $($(
                #[tokio::test(flavor = "multi_thread")]
                #[ignore = "needs a Conduit: CONDUIT_BIN=… cargo test -p messenger-matrix -- --ignored"]
                async fn $name() -> anyhow::Result<()> {
                    crate::contract::$group::$name(crate::fixture::Fixture::conduit().await?).await
                }
            )*)*
        }
    };
}

contract! {
    accounts:
        a_second_bootstrap_changes_nothing
        a_repeated_call_creates_one_account_and_updates_its_name
        an_account_created_by_others_is_not_claimed
        an_account_of_the_service_is_recognised
        a_missing_account_is_restored_by_the_next_call;
    rooms:
        a_new_room_has_the_specified_state
        twenty_concurrent_creations_of_one_alias_create_one_room
        a_repeated_creation_returns_the_first_room
        a_cancelled_creation_leaves_a_complete_room
        an_incomplete_room_is_completed
        an_alias_of_a_foreign_room_is_an_error
        a_repeated_join_changes_nothing
        a_direct_chat_is_listed_in_m_direct
        a_direct_chat_of_two_users_is_listed_for_both
        concurrently_added_direct_chats_are_all_listed
        a_repeated_leave_changes_nothing
        only_a_current_invitation_is_accepted
        rooms_of_a_user_are_the_joined_ones
        a_read_position_is_sent_to_the_readers_own_clients_only;
    state:
        permissions_explain_a_refusal
        the_creator_of_a_version_12_room_may_send
        a_deactivated_account_is_reported_as_deactivated
        a_discarded_room_is_left_unless_it_has_messages
        a_room_is_discarded_if_an_invitation_is_refused
        members_invite_if_allowed_and_cannot_encrypt_or_upgrade
        a_room_and_its_successor_name_each_other
        a_members_page_obeys_the_history_visibility
        invitations_from_before_the_account_are_returned
        encryption_history_visibility_and_upgrade_are_parsed;
    passwords:
        a_password_is_valid_until_the_next_one
        a_revocation_logs_out_all_devices_but_that_of_the_service
        concurrent_processes_set_the_password_of_one_user
        concurrent_processes_set_the_passwords_of_their_users;
    messages:
        another_client_reads_a_sent_message
        a_transaction_id_sends_once_even_after_a_restart
        no_id_reaches_another_endpoint
        a_message_that_the_homeserver_refuses_is_rejected;
    timeline:
        a_user_sends_a_message_once_even_after_a_restart
        a_room_is_read_backwards_to_its_beginning
        a_room_is_read_forwards_from_a_sync_token
        changes_since_a_sync_token_are_in_order
        a_room_summary_has_creator_time_alias_and_members
        an_unknown_sync_token_is_reported
        a_removed_bot_is_reported_and_can_rejoin
        a_waiting_sync_returns_at_once
        a_deeply_nested_event_does_not_hide_others
        messages_are_read_without_other_events_between_them
        a_room_is_read_in_both_directions_around_an_event
        edits_reactions_redactions_and_names_are_parsed;
    relations:
        a_user_reacts_once_with_each_key
        a_message_is_redacted_by_its_sender_or_by_the_bot;
    typing:
        other_clients_receive_typing_of_our_users
        typing_ends_without_renewal
        a_waiting_sync_receives_typing_of_other_clients
        typing_of_a_non_member_is_refused;
    receipts:
        a_receipt_of_another_client_is_received
        the_events_before_an_event_are_returned
        a_message_with_a_far_future_time_is_parsed;
    push_rules:
        an_urgent_notification_sounds_for_every_member
        an_urgent_message_of_another_sender_makes_no_sound
        a_users_change_of_the_push_rule_is_kept
        a_muted_room_has_a_silent_rule_until_it_is_unmuted;
    files:
        a_downloaded_file_equals_the_uploaded_one;
    failures:
        a_stopped_homeserver_is_unreachable
        a_frozen_homeserver_times_out
        a_homeserver_killed_during_a_creation_creates_one_room
        a_wrong_token_is_a_transient_error_and_never_shown;
}
