//! Markdown as the HTML of a Matrix message (`org.matrix.custom.html`).

use pulldown_cmark::{CowStr, Event, LinkType, Options, Parser, Tag, TagEnd, html};

/// The schemes of links that Matrix clients accept (Matrix specification, "m.room.message msgtypes").
const SCHEMES: [&str; 5] = ["https:", "http:", "ftp:", "mailto:", "magnet:"];

/// Returns `CommonMark` as the HTML that Matrix clients accept; `None` for text without any markup.
///
/// HTML in the source becomes text, a picture its description, and a link with another scheme the text of the
/// link. A line break in the source is one in the result.
pub fn render(source: &str) -> Option<String> {
    let mut links = Vec::new();
    let events: Vec<_> =
        Parser::new_ext(source, Options::empty()).filter_map(|event| accepted(event, &mut links)).collect();
    if is_plain(source, &events) {
        return None;
    }
    let mut rendered = String::with_capacity(source.len() * 2);
    html::push_html(&mut rendered, events.into_iter());
    Some(rendered.trim_end().to_owned())
}

/// Returns the event as it is rendered. `links` holds for each open link whether it is kept.
fn accepted<'s>(event: Event<'s>, links: &mut Vec<bool>) -> Option<Event<'s>> {
    match event {
        Event::Html(html) | Event::InlineHtml(html) => Some(Event::Text(html)),
        Event::Start(Tag::HtmlBlock) => Some(Event::Start(Tag::Paragraph)),
        Event::End(TagEnd::HtmlBlock) => Some(Event::End(TagEnd::Paragraph)),
        Event::Start(Tag::Image { .. }) | Event::End(TagEnd::Image) => None,
        Event::Start(Tag::Link { link_type, ref dest_url, .. }) => {
            // The renderer puts `mailto:` before the address of `<anna@hub.local>`.
            let is_kept = link_type == LinkType::Email || is_accepted(dest_url);
            links.push(is_kept);
            is_kept.then_some(event)
        }
        Event::End(TagEnd::Link) => links.pop().unwrap_or_default().then_some(event),
        Event::SoftBreak => Some(Event::HardBreak),
        event => Some(event),
    }
}

fn is_accepted(address: &CowStr<'_>) -> bool {
    let address = address.trim_start().to_ascii_lowercase();
    SCHEMES.iter().any(|scheme| address.starts_with(scheme))
}

/// Returns whether the result is one paragraph with the text of the source and its line breaks.
fn is_plain(source: &str, events: &[Event<'_>]) -> bool {
    let [Event::Start(Tag::Paragraph), content @ .., Event::End(TagEnd::Paragraph)] = events else {
        return events.is_empty();
    };
    let mut text = String::with_capacity(source.len());
    for event in content {
        match event {
            Event::Text(part) => text.push_str(part),
            Event::HardBreak => text.push('\n'),
            _ => return false,
        }
    }
    source.lines().map(str::trim).eq(text.lines().map(str::trim))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(source: &str, html: &str) {
        assert_eq!(render(source).as_deref(), Some(html), "{source:?}");
    }

    #[test]
    fn markup_becomes_the_html_of_matrix() {
        check("**Achtung**, _heiß_", "<p><strong>Achtung</strong>, <em>heiß</em></p>");
        check(
            "# Schicht 2\n\n* Öl\n* Filter",
            "<h1>Schicht 2</h1>\n<ul>\n<li>Öl</li>\n<li>Filter</li>\n</ul>",
        );
        check("3. drei\n4. vier", "<ol start=\"3\">\n<li>drei</li>\n<li>vier</li>\n</ol>");
        check(
            "`G1 X5`\n\n```gcode\nG0 <X>\n```",
            "<p><code>G1 X5</code></p>\n<pre><code class=\"language-gcode\">G0 &lt;X&gt;\n</code></pre>",
        );
        check("> Zitat", "<blockquote>\n<p>Zitat</p>\n</blockquote>");
        check(
            "[Plan](https://hub.local/a?b=1&c=2)",
            "<p><a href=\"https://hub.local/a?b=1&amp;c=2\">Plan</a></p>",
        );
        check("**eins**\nzwei", "<p><strong>eins</strong><br />\nzwei</p>");
    }

    #[test]
    fn text_without_markup_has_no_html() {
        for source in [
            "Guten Tag",
            "eins\nzwei",
            "1 < 2 & 3",
            "  eingerückt ",
            "",
            "a_b_c",
            "https://hub.local",
            "<script>alert(1)</script>",
        ] {
            assert_eq!(render(source), None, "{source:?}");
        }
    }

    #[test]
    fn html_of_the_source_is_text() {
        check("<script>*x*</script>\n\n*y*", "<p>&lt;script&gt;*x*&lt;/script&gt;\n</p>\n<p><em>y</em></p>");
        check("a <b onclick=x>c</b> **d**", "<p>a &lt;b onclick=x&gt;c&lt;/b&gt; <strong>d</strong></p>");
        check("<div>\n\n*x*", "<p>&lt;div&gt;\n</p>\n<p><em>x</em></p>");
        check("*x* &lt;img src=x onerror=y&gt;", "<p><em>x</em> &lt;img src=x onerror=y&gt;</p>");
    }

    #[test]
    fn links_with_other_schemes_and_pictures_lose_their_address() {
        check("*a* [klick](javascript:alert(1))", "<p><em>a</em> klick</p>");
        check("*a* [klick](JaVaScRiPt:alert(1))", "<p><em>a</em> klick</p>");
        check("*a* [klick](data:text/html,x)", "<p><em>a</em> klick</p>");
        check("*a* [klick](/etc/passwd)", "<p><em>a</em> klick</p>");
        check("*a* ![Bild](https://tracker.example/x.png)", "<p><em>a</em> Bild</p>");
        check("<anna@hub.local>", "<p><a href=\"mailto:anna@hub.local\">anna@hub.local</a></p>");
        check("*a* [b](javascript:x@y) [c](anna@hub.local)", "<p><em>a</em> b c</p>");
    }
}
