"""The parser, by the rules of the WHATWG standard."""

from __future__ import annotations

import itertools

import pytest

from hub_messenger_client._sse import Frame, FrameTooLargeError, Parser


def parse(*chunks: bytes, last_event_id: str = "") -> list[Frame]:
    parser = Parser(last_event_id)
    return [frame for chunk in chunks for frame in parser.feed(chunk)]


def message(data: str, event: str = "message", last_event_id: str = "", *, has_id: bool = False) -> Frame:
    return Frame(event, data, last_event_id, has_id)


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
def test_lines_end_with_lf_cr_or_crlf(end: bytes) -> None:
    assert parse(b"data: a" + end + b"data: b" + end + end + b"data: c" + end + end) == [message("a\nb"), message("c")]


def test_line_ends_may_be_mixed() -> None:
    assert parse(b"data: a\rdata: b\r\ndata: c\n\r\n") == [message("a\nb\nc")]


def test_chunks_may_end_anywhere() -> None:
    stream = "\ufeff: hi\r\nid: 7\r\nevent: x\r\ndata: ä€😀\r\ndata:\r\n\r\nretry: 5\rdata: b\r\rdata: c\n\n".encode()
    whole = parse(stream)
    assert whole == [
        message("ä€😀\n", "x", "7", has_id=True),
        message("b", "message", "7"),
        message("c", "message", "7"),
    ]
    for first, second in itertools.combinations(range(len(stream) + 1), 2):
        assert parse(stream[:first], stream[first:second], stream[second:]) == whole
    assert parse(*(bytes([byte]) for byte in stream)) == whole


def test_a_crlf_cut_in_two_is_one_line_end() -> None:
    assert parse(b"data: a\r", b"\ndata: b\r", b"\n\r", b"\n") == [message("a\nb")]


def test_an_event_is_dispatched_at_the_carriage_return_without_waiting_for_more() -> None:
    assert parse(b"data: a\r\r") == [message("a")]


def test_one_byte_order_mark_is_skipped_and_a_second_is_not() -> None:
    assert parse(b"\xef\xbb\xbfdata: a\n\n") == [message("a")]
    assert parse(b"\xef\xbb\xbf\xef\xbb\xbfdata: a\n\n") == []
    assert parse(b"data: \xef\xbb\xbf\n\n") == [message("\ufeff")]


def test_one_space_after_the_colon_is_skipped() -> None:
    assert parse(b"data:a\n\ndata: a\n\ndata:  a\n\ndata:\ta\n\n") == [
        message("a"),
        message("a"),
        message(" a"),
        message("\ta"),
    ]


def test_data_lines_are_joined_with_line_feeds() -> None:
    # The examples of the standard.
    assert parse(b"data: YHOO\ndata: +2\ndata: 10\n\n") == [message("YHOO\n+2\n10")]
    assert parse(b"data\n\ndata\ndata\n\ndata:") == [message(""), message("\n")]
    assert parse(b"data:test\n\ndata: test\n\n") == [message("test"), message("test")]


def test_the_standards_example_with_comment_and_ids() -> None:
    stream = b": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n"
    assert parse(stream) == [
        message("first event", last_event_id="1", has_id=True),
        message("second event", has_id=True),
        message(" third event"),
    ]


def test_comments_unknown_fields_and_other_spellings_are_ignored() -> None:
    assert parse(b":data: x\nfoo: y\n data: z\nDATA: z\ndata: a\n: more\n\n") == [message("a")]


def test_an_event_without_data_is_not_dispatched_and_its_type_is_dropped() -> None:
    assert parse(b"event: x\n\ndata: a\n\n") == [message("a")]


def test_an_empty_type_is_message_and_the_last_type_counts() -> None:
    assert parse(b"event: x\nevent: y\ndata: a\n\nevent:\ndata: b\n\n") == [message("a", "y"), message("b")]


def test_an_id_without_data_moves_the_position() -> None:
    parser = Parser()
    assert parser.feed(b"id: 9\n\n") == []
    assert parser.last_event_id == "9"
    assert parser.feed(b"data: a\n\n") == [message("a", last_event_id="9")]


def test_an_id_counts_once_its_event_has_ended() -> None:
    parser = Parser("1")
    assert parser.feed(b"id: 2\ndata: a\n") == []
    assert parser.last_event_id == "1"


def test_an_id_with_a_null_is_ignored_and_an_empty_one_resets() -> None:
    assert parse(b"id: a\0b\ndata: x\n\n", last_event_id="5") == [message("x", last_event_id="5")]
    assert parse(b"id:\ndata: x\n\n", last_event_id="5") == [message("x", has_id=True)]


def test_an_incomplete_event_is_discarded() -> None:
    assert parse(b"data: a\n\ndata: b\n") == [message("a")]


@pytest.mark.parametrize(
    ("line", "retry"),
    [
        (b"retry: 3000", 3000),
        (b"retry:0", 0),
        (b"retry: 3s", None),
        (b"retry: -1", None),
        (b"retry: 1.5", None),
        (b"retry", None),
        ("retry: ٣".encode(), None),
    ],
)
def test_retry_accepts_ascii_digits_only(line: bytes, retry: int | None) -> None:
    parser = Parser()
    parser.feed(line + b"\n")
    assert parser.retry == retry


def test_broken_utf_8_becomes_replacement_characters() -> None:
    assert parse(b"data: a\xff\xc3\n\n") == [message("a\ufffd\ufffd")]


@pytest.mark.parametrize("piece", [b"x" * 400, b"data: " + b"x" * 400 + b"\n"])
def test_an_event_that_is_too_large_raises_an_error(piece: bytes) -> None:
    parser = Parser(max_bytes=1000)
    for _ in range(3):
        parser.feed(piece)
    with pytest.raises(FrameTooLargeError):
        parser.feed(piece)


def test_keepalive_comments_never_fill_the_parser() -> None:
    parser = Parser(max_bytes=100)
    for _ in range(1000):
        assert parser.feed(b": keepalive\n") == []
