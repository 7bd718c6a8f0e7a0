//! What a test's buffers should hold: a file beside it, or `// CHECK:` comments.

use crate::directive::Directive;
use std::fs;
use std::path::Path;

/// Compares printed buffers with what the test expects; the first difference is the error.
pub fn compare(path: &Path, text: &str, directive: &Directive, printed: &str) -> Result<(), String> {
    match &directive.check_prefix {
        Some(prefix) => check_lines(text, prefix, printed),
        None => compare_lines(&read(path, directive.index)?, printed),
    }
}

/// `test.slang.3.expected.txt` is for the fourth directive, `test.slang.expected.txt` for those without their own.
fn read(path: &Path, index: usize) -> Result<String, String> {
    let beside = |suffix: String| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        fs::read_to_string(name).ok()
    };
    let numbered = if index > 0 { beside(format!(".{index}.expected.txt")) } else { None };
    numbered.or_else(|| beside(".expected.txt".to_owned())).ok_or_else(|| "no expected output".to_owned())
}

/// Line by line. Under a line `type: T` numbers may differ a little. What is printed beyond the expected is ignored.
fn compare_lines(expected: &str, printed: &str) -> Result<(), String> {
    let mut found = printed.lines();
    let mut typed = false;
    for (index, line) in expected.trim_end().lines().map(str::trim).enumerate() {
        let Some(found) = found.next().map(str::trim) else {
            return Err(format!("line {}: expected {line}, found nothing", index + 1));
        };
        typed |= line.starts_with("type:");
        if line != found && !(typed && close(line, found)) {
            return Err(format!("line {}: expected {line}, found {found}", index + 1));
        }
    }
    Ok(())
}

const RELATIVE_TOLERANCE: f64 = 1e-4;

/// Equal as numbers, or near each other; only zero is near zero.
fn close(expected: &str, found: &str) -> bool {
    let (Ok(expected), Ok(found)) = (expected.parse::<f64>(), found.parse::<f64>()) else { return false };
    if expected.is_nan() || found.is_nan() {
        return expected.is_nan() && found.is_nan();
    }
    expected == found || (expected - found).abs() <= RELATIVE_TOLERANCE * expected.abs()
}

/// `PREFIX:` finds a line at or after the place reached, `PREFIX-COUNT-N:` does so N times, `PREFIX-NEXT:` asks for
/// the next line, `PREFIX-NOT:` for none until the end.
fn check_lines(text: &str, prefix: &str, printed: &str) -> Result<(), String> {
    let lines: Vec<&str> = printed.lines().collect();
    let mut at = 0;
    let mut checked = 0;
    for comment in text.lines().filter_map(|line| line.split_once("//").map(|(_, comment)| comment)) {
        let Some(rest) = comment.trim_start().strip_prefix(prefix) else { continue };
        let Some((suffix, pattern)) = rest.split_once(':') else { continue };
        let pattern = pattern.trim();
        let holds = |line: &&str| matches(line, pattern);
        let times = match suffix.strip_prefix("-COUNT-") {
            Some(times) => times.parse().map_err(|_| format!("`{prefix}{suffix}` has no count"))?,
            None => 1,
        };
        match suffix {
            _ if suffix.is_empty() || suffix.starts_with("-COUNT-") => {
                for _ in 0..times {
                    match lines[at..].iter().copied().position(|line| holds(&line)) {
                        Some(distance) => at += distance + 1,
                        None => return Err(format!("expected {pattern}, found {}", shown(&lines[at..]))),
                    }
                }
            }
            "-NEXT" => match lines.get(at) {
                Some(line) if matches(line, pattern) => at += 1,
                found => {
                    let found = found.map_or("nothing", |line| *line);
                    return Err(format!("line {}: expected {pattern}, found {found}", at + 1));
                }
            },
            "-NOT" => {
                if let Some(line) = lines[at..].iter().copied().find(holds) {
                    return Err(format!("expected no {pattern}, found {line}"));
                }
            }
            _ if suffix.starts_with('-') => {
                return Err(format!("the check `{prefix}{suffix}` is not understood"));
            }
            _ => continue,
        }
        checked += 1;
    }
    if checked == 0 { Err(format!("nothing is expected under `{prefix}:`")) } else { Ok(()) }
}

fn shown(lines: &[&str]) -> String {
    let first: Vec<&str> = lines.iter().copied().take(8).collect();
    first.join(" ")
}

fn matches(line: &str, pattern: &str) -> bool {
    if pattern.contains("{{") {
        return (0..=line.len())
            .any(|start| line.get(start..).is_some_and(|rest| matches_start(rest, pattern)));
    }
    line.contains(pattern) || close(pattern, line)
}

/// Literal text, and `{{…}}` holding digits and classes such as `[3-5]`.
fn matches_start(line: &str, pattern: &str) -> bool {
    let mut rest = line.chars();
    let mut in_braces = false;
    let mut pattern = pattern;
    while !pattern.is_empty() {
        if let Some(after) = pattern.strip_prefix(if in_braces { "}}" } else { "{{" }) {
            in_braces = !in_braces;
            pattern = after;
            continue;
        }
        let Some(found) = rest.next() else { return false };
        if let Some((class, after)) =
            pattern.strip_prefix('[').filter(|_| in_braces).and_then(|class| class.split_once(']'))
        {
            let class: Vec<char> = class.chars().collect();
            let is_in = match class[..] {
                [low, '-', high] => (low..=high).contains(&found),
                _ => class.contains(&found),
            };
            if !is_in {
                return false;
            }
            pattern = after;
            continue;
        }
        let mut wanted = pattern.chars();
        if wanted.next() != Some(found) {
            return false;
        }
        pattern = wanted.as_str();
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_compare_exactly_and_more_lines_may_follow() {
        assert!(compare_lines("FF\n0\n", "FF\n0\n7\n").is_ok());
        assert_eq!(compare_lines("FF\n0\n", "FF\n1\n"), Err("line 2: expected 0, found 1".into()));
        assert!(compare_lines("FF\n0\n", "FF\n").is_err_and(|why| why.contains("nothing")));
        assert!(compare_lines("1\n", "1.0\n").is_err());
    }

    #[test]
    fn typed_numbers_may_differ_by_a_little_but_not_from_zero() {
        assert!(compare_lines("type: float\n1.0\n100.0\n", "type: float\n1.000000\n100.005000\n").is_ok());
        assert!(compare_lines("type: float\n1.0\n", "type: float\n1.001000\n").is_err());
        assert!(compare_lines("type: float\n0.0\n", "type: float\n0.000001\n").is_err());
    }

    const PRINTED: &str = "type: float\n3.000000\n4.500000\n5.000000\n";

    #[test]
    fn checks_are_found_in_order() {
        assert!(check_lines("// CHECK: 3.0\n// CHECK: 5.0", "CHECK", PRINTED).is_ok());
        assert!(check_lines("// CHECK: 5.0\n// CHECK: 3.0", "CHECK", PRINTED).is_err());
        assert!(check_lines("x; // CHECK: 3.0\n  //CHECK-NEXT: 4.5\n", "CHECK", PRINTED).is_ok());
        assert!(check_lines("// CHECK: 3.0\n// CHECK-NEXT: 5.0", "CHECK", PRINTED).is_err());
        assert!(check_lines("// CHECK: 3.0\n// CHECK-NOT: 5.0", "CHECK", PRINTED).is_err());
        assert!(check_lines("// CHECK-NOT: 7.0", "CHECK", PRINTED).is_ok());
        assert!(check_lines("// CHECK-COUNT-2: 5", "CHECK", PRINTED).is_ok());
        assert!(check_lines("// CHECK-COUNT-3: 5", "CHECK", PRINTED).is_err());
    }

    #[test]
    fn checks_of_other_prefixes_do_not_count() {
        assert!(check_lines("// CHECKED: 7\n// CHECK2: 8\n// CHECK: 3.0", "CHECK", PRINTED).is_ok());
        assert!(check_lines("// OTHER: 3.0", "CHECK", PRINTED).is_err());
        assert!(check_lines("// CHECK-DAG: 3.0", "CHECK", PRINTED).is_err());
    }

    #[test]
    fn classes_match_one_character() {
        assert!(matches("-0.951000", "-0.{{9[4-9][0-9]}}000"));
        assert!(!matches("-0.931000", "-0.{{9[4-9][0-9]}}000"));
    }
}
