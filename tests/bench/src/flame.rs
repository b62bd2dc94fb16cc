//! Stacks as a flame graph in one SVG file.
use std::collections::BTreeMap;
use std::fmt::Write;

/// In pixels.
const WIDTH: f64 = 1600.0;
const HEIGHT: f64 = 16.0;
/// Narrower boxes are left out.
const NARROW: f64 = 0.4;
const LETTER: f64 = 6.6;

#[derive(Default)]
struct Frame {
    count: u64,
    below: BTreeMap<String, Self>,
}

/// The flame graph.
pub(crate) fn svg(title: &str, stacks: &BTreeMap<String, u64>) -> String {
    let mut root = Frame::default();
    for (stack, count) in stacks {
        root.count += count;
        let mut frame = &mut root;
        for symbol in stack.split(';') {
            frame = frame.below.entry(symbol.to_owned()).or_default();
            frame.count += count;
        }
    }
    let depth = stacks.keys().map(|stack| stack.split(';').count()).max().unwrap_or(0);
    let mut boxes = String::new();
    draw(&root, &root, 0.0, 1, &mut boxes);
    let height = HEIGHT * (depth + 2) as f64;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" font-family=\"monospace\" \
         font-size=\"11\"><text x=\"4\" y=\"12\">{}</text>{boxes}</svg>\n",
        escaped(title)
    )
}

fn draw(frame: &Frame, root: &Frame, mut x: f64, row: usize, boxes: &mut String) {
    for (symbol, below) in &frame.below {
        let width = WIDTH * below.count as f64 / root.count as f64;
        if width >= NARROW {
            let y = HEIGHT * row as f64;
            let share = 100.0 * below.count as f64 / root.count as f64;
            let letters = (1_u16..=250).take_while(|letters| f64::from(*letters) * LETTER <= width).count();
            let label: String =
                if letters < 3 { String::new() } else { symbol.chars().take(letters).collect() };
            let hue = symbol.bytes().fold(0_u32, |hue, byte| (hue * 31 + u32::from(byte)) % 50);
            // Writing to a String cannot fail.
            let _ = write!(
                boxes,
                "<g><title>{} {share:.2} %</title><rect x=\"{x:.1}\" y=\"{y}\" width=\"{width:.1}\" height=\"{HEIGHT}\" \
                 fill=\"hsl({hue},80%,65%)\" stroke=\"white\"/><text x=\"{:.1}\" y=\"{}\">{}</text></g>",
                escaped(symbol),
                x + 2.0,
                y + 12.0,
                escaped(&label)
            );
            draw(below, root, x, row + 1, boxes);
        }
        x += width;
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_names_each_function_once() {
        let stacks = BTreeMap::from([("a;b<T>;c".to_owned(), 3), ("a;b<T>;d".to_owned(), 1)]);
        let picture = svg("title", &stacks);
        assert_eq!(picture.matches("<title>b&lt;T&gt; 100.00 %").count(), 1);
        assert!(picture.contains("<title>c 75.00 %"));
    }
}
