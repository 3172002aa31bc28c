//! What templates can do, and that none of them can do too much.

use std::sync::{Arc, LazyLock};

use redrill::diagnostic::{Finding, Source};
use redrill::ids::RunId;
use redrill::render::{Inputs, Known};
use redrill::rules::Rules;
use redrill::session::{self, Settled};

use crate::support::repository_file;

static RULES: LazyLock<Arc<Rules>> = LazyLock::new(|| Arc::new(Rules::embedded()));

/// What a template becomes, or the rules of what is said against it.
fn render(template: &str) -> Result<String, Vec<String>> {
    requests(template)
        .map_err(|findings| findings.into_iter().map(|finding| finding.rule).collect())
}

fn requests(template: &str) -> Result<String, Vec<Finding>> {
    // A type without rules, so that the value alone is judged.
    let mut plan = serde_json::json!({
        "plan": "p",
        "vars": {
            "text": "Orders DB (prod)", "long": "x".repeat(100_000), "list": ["b", "a"], "n": 3, "flag": true,
            "map": { "b": 1, "a": [true] },
        },
        "target": { "region": "us-west-2", "account": "123456789012" },
        "restores": { "r": {
            "type": "Unknown",
            "recovery_point": "arn:aws:backup:us-west-2:123456789012:recovery-point:1",
            "metadata": { "value": template },
        } },
    });
    if template.contains("vars.huge") || template.contains("vars |") {
        let huge = serde_json::json!({ "text": "x".repeat(2_200_000), "list": vec![0; 70_000] });
        plan["vars"]["huge"] = huge;
    }
    // JSON is YAML.
    let source = Source::new("plan.yaml", plan.to_string());
    let loaded = session::read(&source, &RunId::new("main"), &Inputs::default(), &RULES).unwrap();
    let Settled { plan, mut findings } = loaded.draft(&Known::default());
    findings.retain(|finding| finding.rule.starts_with("template/"));
    match plan {
        Some(plan) => {
            Ok(plan.steps.as_slice()[0].draft.request.metadata[&"value".to_owned()].clone())
        }
        None => Err(findings.into_iter().collect()),
    }
}

/// Each of them would take seconds, or gigabytes, or the stack. That they end at all is what is tested here; how soon, the
/// bench says.
#[test]
fn a_template_that_never_ends_ends() {
    let deep = |open: &str, middle: &str, close: &str, times: usize| {
        format!("{}{middle}{}", open.repeat(times), close.repeat(times))
    };
    let joined = |operand: &str, sign: &str, times: usize| vec![operand; times].join(sign);
    for template in [
        // Operators that repeat.
        "{{ 'x' * 1000000000 }}".to_owned(),
        "{{ 'x' * 100000000 }}".to_owned(),
        "{{ 100000000 * 'x' }}".to_owned(),
        "{{ ('x' ~ 'y') * 100000000 }}".to_owned(),
        "{{ [0] * 100000000 }}".to_owned(),
        "{{ (1, 2) * 100000000 }}".to_owned(),
        "{{ +('x') * 100000000 }}".to_owned(),
        "{{ vars.text * 100000000 }}".to_owned(),
        "{{ vars.list * 100000000 }}".to_owned(),
        "{{ vars.text[0] * 100000000 }}".to_owned(),
        "{{ 100000000 * vars.text }}".to_owned(),
        "{{ 100000000 * 1 | string }}".to_owned(),
        "{{ 100000000 * 1 is odd | string }}".to_owned(),
        "{{ 100000000 * -'x' }}".to_owned(),
        "{{ 100000000 * vars.text | int(default='x') }}".to_owned(),
        "{{ vars.text | int(default='x') * 100000000 }}".to_owned(),
        "{% if 'x' * 100000000 %}x{% endif %}".to_owned(),
        "{% if false %}{{ 'x' * 100000000 }}{% endif %}".to_owned(),
        "{{ 2 ** 1000000000 }}".to_owned(),
        // Operators that copy what is before them, and look at it.
        format!("{{{{ {} }}}}", joined("vars.long", " ~ ", 200)),
        format!("{{{{ {} }}}}", joined("vars.long", " + ", 200)),
        format!(
            "{{{{ ({}) == '' }}}}",
            joined("vars.long", " ~ ", 19) + &" ~ ''".repeat(390)
        ),
        format!(
            "{{{{ ({}) == '' }}}}",
            joined("vars.long", " ~ ", 19) + &"[0:]".repeat(16)
        ),
        format!(
            "{{{{ '{}'{} == '' }}}}",
            "z".repeat(1_000_000),
            " ~ 'a'".repeat(480)
        ),
        format!(
            "{{% if false %}}{{{{ '{}'{} }}}}{{% endif %}}",
            "z".repeat(1_000_000),
            " ~ 'a'".repeat(480)
        ),
        format!("{{{{ (range(9999){}) | length }}}}", " + []".repeat(300)),
        format!("{{{{ range(9999){} | length }}}}", "[1:]".repeat(199)),
        format!("{{{{ [{}1] | length }}}}", "range(9999), ".repeat(150)),
        format!("{{{{ {} }}}}", joined("range(9999)", " == ", 150)),
        "{{ vars.huge.text ~ '' }}".to_owned(),
        "{{ (vars.huge ~ '') == '' }}".to_owned(),
        "{{ vars.huge.list == [] + vars.huge.list }}".to_owned(),
        "{{ -7 in vars.huge.list }}".to_owned(),
        "{{ vars | json }}".to_owned(),
        // Lists.
        "{{ range(1000000000) }}".to_owned(),
        "{{ range(9223372036854775807, -9223372036854775807, -1) }}".to_owned(),
        "{{ range(0, 10, 0) }}".to_owned(),
        // Filters that widen.
        "{{ vars.text | indent(1000000000) }}".to_owned(),
        "{{ vars.text | indent(width=1000000000, first=true) }}".to_owned(),
        "{{ '%1000000000d' | format(1) }}".to_owned(),
        "{{ '%*d' | format(1000000000, 1) }}".to_owned(),
        "{{ '%.1000000000f' | format(1.5) }}".to_owned(),
        "{{ '%(a)1000000000s' | format(a=1) }}".to_owned(),
        "{{ vars.long | replace('x', vars.long) }}".to_owned(),
        "{{ vars.long | replace('', vars.long) }}".to_owned(),
        "{{ range(9000) | join(vars.long) }}".to_owned(),
        "{{ range(9000) | join(d=vars.long) }}".to_owned(),
        "{{ vars.long | join(vars.long) }}".to_owned(),
        "{{ vars.list | batch(1000000000, 'x') }}".to_owned(),
        "{{ vars.list | slice(1000000000) }}".to_owned(),
        "{{ vars.map | tojson(indent=1000000000) }}".to_owned(),
        "{{ [vars.long, vars.long] | sum(start='') }}".to_owned(),
        "{{ range(999) | map('replace', '1', vars.long) | list }}".to_owned(),
        "{{ range(999) | map('indent', 1000000) | list }}".to_owned(),
        "{{ range(5000) | select('in', range(9000)) | list }}".to_owned(),
        format!("{{{{ vars.long{} }}}}", " | lower | upper".repeat(240)),
        format!("{{{{ range(5000){} | length }}}}", " | reverse".repeat(450)),
        // The engine's own stack.
        format!("{{{{ {} }}}}", vec!["1"; 30_000].join(" + ")),
        format!("{{{{ {} }}}}", vec!["vars"; 30_000].join(".")),
        format!("{{{{ vars.text{} }}}}", " | lower".repeat(30_000)),
        format!("{{{{ vars.text{} }}}}", "[0]".repeat(30_000)),
        format!("{{{{ {} 1 }}}}", "not ".repeat(30_000)),
        format!("{{{{ {} 1 }}}}", "- ".repeat(30_000)),
        format!("{{{{ {} }}}}", deep("(", "1", ")", 30_000)),
        format!("{{{{ {} }}}}", deep("[", "1", "]", 30_000)),
        format!("{{{{ {} }}}}", deep("{'a': ", "1", "}", 30_000)),
        deep("{% if true %}", "x", "{% endif %}", 30_000),
        format!("{{{{ {} 1 }}}}", "1 if 1 else ".repeat(30_000)),
    ] {
        let shown: String = template.chars().take(80).collect();
        let result = render(&template);
        assert!(
            matches!(&result, Err(rules) if rules.len() == 1),
            "{shown}: {:?}",
            result.map(|text| text.len())
        );
    }
}

/// As deep and as long as they may be.
#[test]
fn a_template_at_its_bounds_does_not_overflow_the_stack() {
    for (template, expected) in [
        (format!("{{{{ {} 1 }}}}", "not ".repeat(990)), "true"),
        (format!("{{{{ {} 1 }}}}", "- ".repeat(990)), "1"),
        (format!("{{{{ {} }}}}", vec!["1"; 495].join(" + ")), "495"),
        (format!("{{{{ 'A'{} }}}}", " | lower".repeat(490)), "a"),
        (format!("{{{{ {} 1 }}}}", "1 if 1 else ".repeat(240)), "1"),
        (
            format!(
                "{}x{}",
                "{% if true %}".repeat(140),
                "{% endif %}".repeat(140)
            ),
            "x",
        ),
    ] {
        let shown: String = template.chars().take(40).collect();
        assert_eq!(render(&template).as_deref(), Ok(expected), "{shown}");
    }
}

/// Nothing repeats and nothing is named: what a plan has for that is said instead.
#[test]
fn issue_15_a_statement_but_if_is_refused_with_what_to_write() {
    for (template, statement, help) in [
        (
            "{% for x in vars.list %}{{ x }}{% endfor %}",
            "{% for x in vars.list %}",
            "for_each",
        ),
        (
            "a{%- for x in vars.list -%}",
            "{%- for x in vars.list -%}",
            "join(',')",
        ),
        (
            "{% set a = 'x' %}{{ a ~ a }}",
            "{% set a = 'x' %}",
            "declare it under `vars`",
        ),
        (
            "{% with a = 1 %}{% endwith %}",
            "{% with a = 1 %}",
            "declare it under `vars`",
        ),
        (
            "{% macro m(x) %}<{{ x }}>{% endmacro %}",
            "{% macro m(x) %}",
            "write the expression out",
        ),
        (
            "{% call m() %}{% endcall %}",
            "{% call m() %}",
            "write the expression out",
        ),
        (
            "{% filter upper %}abc{% endfilter %}",
            "{% filter upper %}",
            "{{ 'text' | upper }}",
        ),
        ("{% raw %}{{{% endraw %}", "{% raw %}", "as an expression"),
        (
            "{% include '/etc/passwd' %}",
            "{% include '/etc/passwd' %}",
            "one file",
        ),
        (
            "{% extends '/etc/passwd' %}",
            "{% extends '/etc/passwd' %}",
            "one file",
        ),
        ("{% import 'x' as x %}", "{% import 'x' as x %}", "one file"),
        ("{% block x %}{% endblock %}", "{% block x %}", "one file"),
        (
            "{% do vars.list.append(1) %}",
            "{% do vars.list.append(1) %}",
            "leave it out",
        ),
        (
            "{% autoescape true %}x{% endautoescape %}",
            "{% autoescape true %}",
            "leave it out",
        ),
        // Also where it would never be reached.
        (
            "{% if false %}{% set a = 1 %}{% endif %}x",
            "{% set a = 1 %}",
            "declare it under `vars`",
        ),
    ] {
        let findings = requests(template).err().unwrap_or_default();
        let [finding] = findings.as_slice() else {
            panic!("{template}: {findings:?}");
        };
        assert_eq!(finding.rule, "template/statement", "{template}");
        assert!(finding.help.contains(help), "{template}: {}", finding.help);
        assert_eq!(finding.source.slice(finding.span), statement);
    }
}

/// As numbers, all of it would be well.
#[test]
fn issue_15_what_an_operator_would_make_of_a_text_is_refused() {
    for (template, place, message) in [
        ("{{ vars.n * 1024 }}", "*", "multiplies numbers"),
        ("a{{ 2 * vars.n }}", "*", "multiplies numbers"),
        ("{{ vars.list[0:2:1] }}", ":", "takes no step"),
        ("{{ [][::-1] }}", ":", "takes no step"),
        (
            "{{ 'a' ~ vars.flag }}",
            "\"{{ 'a' ~ vars.flag }}\"",
            "`| json`",
        ),
        (
            "{{ 'a' ~ (1 == 2) }}",
            "\"{{ 'a' ~ (1 == 2) }}\"",
            "`| json`",
        ),
        ("x{{ 'a' ~ true }}", "\"x{{ 'a' ~ true }}\"", "`| json`"),
    ] {
        let findings = requests(template).err().unwrap_or_default();
        let [finding] = findings.as_slice() else {
            panic!("{template}: {findings:?}");
        };
        assert_eq!(finding.rule, "template/error", "{template}");
        assert!(
            finding.message.contains(message),
            "{template}: {}",
            finding.message
        );
        assert_eq!(finding.source.slice(finding.span), place, "{template}");
    }
}

/// No files, no environment, no clock, no other templates.
#[test]
fn a_template_sees_nothing_but_its_names() {
    for template in [
        "{{ debug() }}",
        "{{ now() }}",
        "{{ env('HOME') }}",
        "{{ vars | attr('__class__') }}",
        "{{ cycler }}",
        "{{ loop(1) }}",
        "{{ super() }}",
        "{{ self.x() }}",
        "{{ caller() }}",
        "{{ namespace(a=1) }}",
    ] {
        assert!(
            render(template).is_err(),
            "{template}: {:?}",
            render(template)
        );
    }
}

/// Within those bounds it is Jinja.
#[test]
fn a_template_does_what_jinja_does() {
    for (template, expected) in [
        ("{{ vars.n | int * 1024 }}", "3072"),
        ("{{ 1024 * vars.n | int }}", "3072"),
        ("{{ (vars.n + 1) | int * 2 - 1 }}", "7"),
        ("{{ -2.5 * -2 * vars.list | length }}", "10.0"),
        ("{{ 2 ** 10 // 3 % 7 }}", "5"),
        ("{{ vars.n | int * 2 ~ 'x' }}", "6x"),
        ("{{ 'a' ~ 1 ~ vars.flag | json }}", "a1true"),
        ("{{ 'TrueNAS' ~ vars.n }}", "TrueNAS3"),
        ("x{{ true }}", "xtrue"),
        ("{{ 'a' + 'b' }}", "ab"),
        ("{{ [1, 2] + [3] }}", "[1,2,3]"),
        ("{{ {'b': 1, 'a': [true]} }}", r#"{"b":1,"a":[true]}"#),
        ("{{ (1, 'two') }}", r#"[1,"two"]"#),
        ("{{ 1 < 2 and 'a' != 'b' and not 3 >= 4 }}", "true"),
        ("{{ 'rders' in vars.text and 'a' in vars.list }}", "true"),
        ("{{ 'z' not in vars.list }}", "true"),
        ("{{ vars.text[0:6] }}", "Orders"),
        ("{{ vars.list[-1] }}", "a"),
        ("{{ 'yes' if vars.n == 3 else 'no' }}", "yes"),
        (
            "{{ vars.n is divisibleby(3) and vars.text is string }}",
            "true",
        ),
        ("{{ vars.list is defined and vars.n is not none }}", "true"),
        (
            "{% if vars.n == 3 %}three{% elif vars.n == 4 %}four{% else %}more{% endif %}",
            "three",
        ),
        (
            "a{% if vars.n == 4 %}x{% elif vars.n == 3 %}{{ plan }}{% else %}more{% endif %}b",
            "apb",
        ),
        (
            "{% if false %}x{% else %}{% if true %}y{% endif %}{% endif %}",
            "y",
        ),
        ("{% if vars.map.x is defined %}x{% endif %}", ""),
        ("a {%- if true -%} b {%- endif -%} c", "abc"),
        ("a {{- 'b' -}} c {#- no -#} d", "abcd"),
        ("a {{+ 'b' +}} c", "a b c"),
        ("x {{ plan }}\n\n", "x p\n"),
        ("x {{ plan }}\r\n", "x p"),
        ("  {{ vars.list }}\n", r#"["b","a"]"#),
        ("{{ {'a': {'b': 1}} }}", r#"{"a":{"b":1}}"#),
        (r#"{{ '}}' }}{{ "{{" }}"#, "}}{{"),
        (r"{{ 'it\'s' }}", "it's"),
        ("{{ 'a' ~ ('b' ~ 'c') | upper }}", "aBC"),
        ("{{ 1 < 2 < 3 }}", "true"),
        ("{{ vars.list[1:] }}", r#"["a"]"#),
        ("{{ [][1:] }}", "[]"),
        (
            "{{ vars.list == ['b', 'a'] and {'b': 1, 'a': [true]} == vars.map }}",
            "true",
        ),
        ("{# a comment #}x", "x"),
        ("{{ 'a-b_c' | replace('-', '.') | upper }}", "A.B_C"),
        ("{{ 'arn:aws:x' | split(':') | last }}", "x"),
        ("{{ vars.list | sort | join('+') }}", "a+b"),
        ("{{ vars.list | map('upper') | join }}", "BA"),
        ("{{ vars.map | items | list | length }}", "2"),
        ("{{ vars.map | dictsort | first | first }}", "a"),
        ("{{ [3, 1, 2] | sort(reverse=true) | list }}", "[3,2,1]"),
        (
            "{{ [{'n': 'a'}, {'n': 'b'}] | map(attribute='n') | join(',') }}",
            "a,b",
        ),
        ("{{ [1, 2, 3] | select('odd') | sum }}", "4"),
        ("{{ [1, 2, 3] | batch(2) | list }}", "[[1,2],[3]]"),
        ("{{ '%05d-%s' | format(42, 'x') }}", "00042-x"),
        ("{{ 'a\nb' | indent(2) }}", "a\n  b"),
        ("{{ ' x ' | trim }}", "x"),
        ("{{ 3.7 | round | int }}", "4"),
        ("{{ vars.map | tojson }}", r#"{"b": 1, "a": [true]}"#),
        ("{{ vars.map | json }}", r#"{"b":1,"a":[true]}"#),
        ("{{ vars.map.nothing | default('d') }}", "d"),
        ("{{ range(2, 8, 3) | list }}", "[2,5]"),
        ("{{ range(3, 0, -1) | list }}", "[3,2,1]"),
        ("{{ dict(a=1, b='x') }}", r#"{"a":1,"b":"x"}"#),
    ] {
        assert_eq!(render(template).as_deref(), Ok(expected), "{template}");
    }
}

/// The document's examples are rendered: `| `filter` | … | `template` gives `result` |`.
#[test]
fn the_filters_of_the_document_do_what_it_says() {
    let document = repository_file("docs/plan.md");
    let mut described = Vec::new();
    for line in document.lines() {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let Some((template, result)) = cells.last().and_then(|cell| {
            cell.strip_prefix("`{{ ")?
                .strip_suffix('`')?
                .split_once("` gives `")
        }) else {
            continue;
        };
        let template = format!("{{{{ {}", template.replace("\\|", "|"));
        assert_eq!(render(&template).as_deref(), Ok(result), "{template}");
        described.extend(cells[0].trim_matches('`').split("`, `").map(str::to_owned));
    }
    for name in redrill::render::filter_names() {
        assert!(
            described.iter().any(|known| known == name),
            "docs/plan.md does not describe the filter `{name}`"
        );
    }
}
