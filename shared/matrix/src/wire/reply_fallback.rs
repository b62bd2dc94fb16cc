//! Removes what older clients repeat of the message that a message replies to (Matrix specification, "Rich
//! replies").

/// The prefix of each repeated line of a text.
const PREFIX: &str = "> ";
/// The beginnings of the first repeated line, which names the sender: of a text, and of an emote.
const SENDERS: [&str; 2] = ["> <@", "> * <@"];
/// The element around the repeated part of HTML.
const START_TAG: &str = "<mx-reply>";
const END_TAG: &str = "</mx-reply>";

/// Returns the text of a reply without the repeated lines.
///
/// The specification removes all first lines with the prefix. This removes them only if the first one names a
/// sender, as all clients write it: a user may begin a reply with a quote of their own.
pub(super) fn strip_text(body: &str) -> &str {
    if !SENDERS.iter().any(|sender| body.starts_with(sender)) {
        return body;
    }
    let mut rest = body;
    while rest.starts_with(PREFIX) {
        rest = rest.split_once('\n').map_or("", |(_, rest)| rest);
    }
    let rest = rest.strip_prefix('\r').unwrap_or(rest);
    rest.strip_prefix('\n').unwrap_or(rest)
}

/// Returns the HTML of a reply without the repeated part. Returns `None` if nothing else is in it.
pub(super) fn strip_html(html: &str) -> Option<&str> {
    let is_repeated = html.get(..START_TAG.len()).is_some_and(|tag| tag.eq_ignore_ascii_case(START_TAG));
    if !is_repeated {
        return Some(html);
    }
    // ASCII letters keep their length, so that the position is the same.
    let end = html.to_ascii_lowercase().find(END_TAG)?;
    html.get(end + END_TAG.len()..).filter(|rest| !rest.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeated_lines_are_removed_with_the_empty_line_after_them() {
        for (body, text) in [
            ("> <@anna:hub.local> Wer kommt?\n\nIch", "Ich"),
            ("> <@anna:hub.local> Wer\n> kommt?\n> \n> Heute?\n\nIch\n\n> nicht", "Ich\n\n> nicht"),
            ("> <@anna:hub.local> Wer kommt?\nIch", "Ich"),
            ("> <@anna:hub.local> Wer kommt?\r\n\r\nIch", "Ich"),
            ("> * <@anna:hub.local> winkt\n\nHallo", "Hallo"),
            ("> <@anna:hub.local> sent an image.\n\n\nSchön", "\nSchön"),
            ("> <@anna:hub.local> Wer kommt?\n\n", ""),
            ("> <@anna:hub.local> Wer kommt?", ""),
        ] {
            assert_eq!(strip_text(body), text, "{body:?}");
        }
    }

    #[test]
    fn a_quote_that_the_sender_wrote_stays() {
        for body in
            ["> Toleranz 0,05\n\nDas ist zu eng", "Ich > <@anna:hub.local>", ">", "> ", "", "> <anna> x\n\ny"]
        {
            assert_eq!(strip_text(body), body);
        }
    }

    #[test]
    fn the_first_element_of_repeated_html_is_removed() {
        let quote =
            "<blockquote><a href=\"x\">In reply to</a> <a>@anna:hub.local</a><br>Wer kommt?</blockquote>";
        for (html, rest) in [
            (format!("<mx-reply>{quote}</mx-reply>Ich <b>komme</b>"), Some("Ich <b>komme</b>")),
            (format!("<MX-Reply>{quote}</MX-REPLY>Ich"), Some("Ich")),
            (format!("<mx-reply>{quote}</mx-reply> "), None),
            (format!("<mx-reply>{quote}"), None),
            ("Ich <mx-reply>x</mx-reply>".to_owned(), Some("Ich <mx-reply>x</mx-reply>")),
            ("<mx-repl".to_owned(), Some("<mx-repl")),
            ("ääääääääää".to_owned(), Some("ääääääääää")),
        ] {
            assert_eq!(strip_html(&html), rest, "{html}");
        }
    }
}
