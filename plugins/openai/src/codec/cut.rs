//! Where to cut content that is stored in parts.

/// The largest part in bytes: as armour about a million tokens, half of the smaller documented limit.
pub(crate) const PIECE: usize = 1 << 20;

/// How far back a cut looks for the end of a line.
const LINE: usize = 64 << 10;

/// How much of `content`, which is longer than a part, becomes the next one: in text up to the end of a line or at
/// least of a character, so that each part is text of its own.
pub(crate) fn cut(content: &[u8]) -> usize {
    let most = PIECE.min(content.len());
    if let Some(line) = content[most.saturating_sub(LINE)..most].iter().rposition(|&byte| byte == b'\n') {
        return most.saturating_sub(LINE) + line + 1;
    }
    let is_continuation = |at: usize| content.get(at).is_some_and(|byte| byte & 0xc0 == 0x80);
    (most.saturating_sub(3).max(1)..=most).rev().find(|&at| !is_continuation(at)).unwrap_or(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_after_a_line_or_a_character() {
        let lines = "a line\n".repeat(PIECE / 5);
        assert_eq!(lines.as_bytes()[cut(lines.as_bytes()) - 1], b'\n');
        let umlauts = format!("x{}", "ü".repeat(PIECE));
        assert_eq!(cut(umlauts.as_bytes()), PIECE - 1);
        assert!(std::str::from_utf8(&umlauts.as_bytes()[..PIECE - 1]).is_ok());
    }

    #[test]
    fn anything_else_is_cut_where_the_part_is_full() {
        for byte in [0, b'x', 0x80, 0xff] {
            assert_eq!(cut(&vec![byte; PIECE + 10]), PIECE, "{byte}");
        }
    }
}
