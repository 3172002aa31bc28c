//! What templates can do, and that none of them can do too much.

use std::sync::{Arc, LazyLock};

use redrill::diagnostic::Source;
use redrill::pipeline;
use redrill::render::{Inputs, Known};
use redrill::validate::Rules;

use crate::support::repository_file;

static RULES: LazyLock<Arc<Rules>> = LazyLock::new(|| Arc::new(Rules::embedded()));

/// What a template becomes, or the rules of what is said against it.
fn render(template: &str) -> Result<String, Vec<String>> {
    // A type without rules, so that the value alone is judged.
    let plan = serde_json::json!({
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
    // JSON is YAML.
    let source = Source::new("plan.yaml", plan.to_string());
    let front = pipeline::read(&source, "main", &Inputs::default(), &RULES);
    let mut findings = front.findings;
    let plan = pipeline::requests(&front.planner.unwrap(), &Known::default(), &mut findings);
    match plan {
        Some(plan) => Ok(plan.steps[0].draft.request.metadata[&"value".to_owned()].clone()),
        None => Err(findings
            .into_iter()
            .filter(|finding| finding.rule.starts_with("template/"))
            .map(|finding| finding.rule)
            .collect()),
    }
}

/// Each of them would take seconds, or gigabytes, or the stack. That they end at all is what is tested here; how soon, the
/// bench says.
#[test]
fn a_template_that_never_ends_ends() {
    let deep = |open: &str, middle: &str, close: &str, times: usize| {
        format!("{}{middle}{}", open.repeat(times), close.repeat(times))
    };
    let doubling = |start: &str, step: &str| format!("{start}{}", step.repeat(60));
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
        "{% for i in range(1000) %}{% set a = vars.text * 100000000 %}{% endfor %}".to_owned(),
        // Concatenation that doubles.
        doubling("{% set a = 'x' %}", "{% set a = a ~ a %}"),
        doubling("{% set a = 'x' %}", "{% set a = a + a %}"),
        doubling("{% set a = [1] %}", "{% set a = a + a %}"),
        doubling("{% set a = 'x' %}", "{% set a %}{{ a }}{{ a }}{% endset %}"),
        "{% set n = namespace(a='x') %}{% for i in range(99) %}{% set n.a = n.a ~ n.a %}{% endfor %}".to_owned(),
        // Values that share what they hold: small to build, endless to walk through.
        doubling("{% set a = [1] %}", "{% set a = [a, a] %}") + "{{ a | tojson }}",
        doubling("{% set a = {'k': 1} %}", "{% set a = {'k': a, 'l': a} %}") + "{{ a | string }}",
        doubling("{% set a = [1] %}", "{% set a = [a, a] %}") + "{{ a == a }}",
        doubling("{% set a = [1] %}", "{% set a = (a, a) %}") + "{{ a in a }}",
        "{% set n = namespace(a=[]) %}{% for i in range(5000) %}{% set n.a = [n.a] %}{% endfor %}".to_owned(),
        "{% set n = namespace(a={}) %}{% for i in range(5000) %}{% set n.a = {'k': n.a} %}{% endfor %}".to_owned(),
        "{% set n = namespace(a=1) %}{% for i in range(5000) %}{% set n.a = namespace(a=n.a) %}{% endfor %}".to_owned(),
        "{% set n = namespace() %}{% set n.a = n %}{{ n | string }}".to_owned(),
        // Loops.
        "{{ range(1000000000) }}".to_owned(),
        "{{ range(9223372036854775807, -9223372036854775807, -1) }}".to_owned(),
        "{{ range(0, 10, 0) }}".to_owned(),
        "{% for i in range(10000) %}{% for j in range(10000) %}{{ i }}{% endfor %}{% endfor %}".to_owned(),
        "{% for i in range(9999) %}{{ vars.long }}{% endfor %}".to_owned(),
        format!("{{% for i in range(9999) %}}{}{{% endfor %}}", "raw".repeat(20_000)),
        "{% for i in [1, 2] recursive %}{{ loop([1, 2]) }}{% endfor %}".to_owned(),
        // Macros.
        "{% macro m() %}{{ m() }}{{ m() }}{% endmacro %}{{ m() }}".to_owned(),
        "{% macro m(x) %}{{ m(x ~ x) }}{% endmacro %}{{ m('xxxxxxxxxxxxxxxx') }}".to_owned(),
        "{% macro m(x) %}{{ m([x, x]) }}{% endmacro %}{{ m(1) }}".to_owned(),
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
        "{% for i in range(5000) %}{% if vars.long in vars.long %}{% endif %}{% endfor %}".to_owned(),
        "{% for i in range(5000) %}{% set a = vars.long[1:] %}{% endfor %}".to_owned(),
        "{% for i in range(5000) %}{% set a = vars.long | upper %}{% endfor %}".to_owned(),
        "{% for i in range(5000) %}{% set a = vars.long | list %}{% endfor %}".to_owned(),
        "{% for i in range(5000) %}{% set a = vars.long | json %}{% endfor %}".to_owned(),
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
        deep("{% for i in [1] %}", "x", "{% endfor %}", 30_000),
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

/// No files, no environment, no clock, no other templates.
#[test]
fn a_template_sees_nothing_but_its_names() {
    for template in [
        "{% include '/etc/passwd' %}",
        "{% extends '/etc/passwd' %}",
        "{% import 'x' as x %}",
        "{{ debug() }}",
        "{{ now() }}",
        "{{ env('HOME') }}",
        "{{ vars | attr('__class__') }}",
        "{{ cycler }}",
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
        ("{{ vars.n * 1024 }}", "3072"),
        ("{{ (vars.n + 1) * 2 - 1 }}", "7"),
        ("{{ 2 ** 10 // 3 % 7 }}", "5"),
        ("{{ vars.n * 2 ~ 'x' }}", "6x"),
        ("{{ 'a' ~ 1 ~ vars.flag }}", "a1true"),
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
            "{% for x in vars.list %}{{ loop.index }}{{ x }}{% if not loop.last %},{% endif %}{% endfor %}",
            "1b,2a",
        ),
        ("{% set a = 'x' %}{{ a ~ a }}", "xx"),
        (
            "{% set n = namespace(s=0) %}{% for i in range(4) %}{% set n.s = n.s + i %}{% endfor %}{{ n.s }}",
            "6",
        ),
        (
            "{% macro m(x, y='-') %}<{{ x }}{{ y }}>{% endmacro %}{{ m('a') }}{{ m('b', y='+') }}",
            "<a-><b+>",
        ),
        ("{% filter upper %}abc{% endfilter %}", "ABC"),
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
