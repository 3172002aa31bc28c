//! Templates compiled so that every operator goes through the meter.
//!
//! The engine repeats a string a hundred million times in one step, and its fuel counts steps. Its instructions are
//! therefore rewritten: an operator that can build or walk through something large becomes the call of a function of ours
//! (`operators.rs`), which counts first and computes after.

use std::collections::BTreeMap;

use minijinja::machinery::ast::Expr;
use minijinja::machinery::{
    CodeGenerator, Instruction, Instructions, Token, eval, make_string_output, parse, parse_expr,
    tokenize,
};
use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, Error, ErrorKind, Value};

/// Tokens of a template: each may be a level of the engine's recursion. A long scalar with a loop in it has about a hundred.
const MAX_TOKENS: usize = 1_000;
/// Bytes of text between templates that can be repeated: writing text out is not counted.
const MAX_REPEATED_TEXT: usize = 8 << 10;

/// The functions that operators become; no name that can be written in a template.
pub(super) const OPERATORS: [&str; 15] = [
    "+", "-", "*", "**", "%", "~", "==", "!=", "<", "<=", ">", ">=", "in", "[:]", "[]",
];
/// A map in braces.
pub(super) const MAP: &str = "{}";

type Blocks<'s> = BTreeMap<&'s str, Instructions<'s>>;

/// The value of an expression; `None` where the text is none.
pub(super) fn expression<'s>(
    environment: &'s Environment<'s>,
    text: &'s str,
    root: Value,
) -> Option<Result<Value, Error>> {
    if let Err(err) = check_tokens(text, true) {
        return Some(Err(err));
    }
    let parsed = parse_expr(text).ok()?;
    Some(evaluate(environment, text, &parsed, root))
}

fn evaluate<'s>(
    environment: &'s Environment<'s>,
    text: &'s str,
    parsed: &Expr<'s>,
    root: Value,
) -> Result<Value, Error> {
    let mut generator = CodeGenerator::new("<expression>", text);
    generator.compile_expr(parsed);
    let (mut instructions, _) = generator.finish();
    meter(&mut instructions)?;
    let mut nowhere = String::new();
    let (value, _) = eval(
        environment,
        &instructions,
        root,
        &BTreeMap::new(),
        &mut make_string_output(&mut nowhere),
        AutoEscape::None,
    )?;
    Ok(value.unwrap_or_default())
}

/// The text that a template becomes.
pub(super) fn template<'s>(
    environment: &'s Environment<'s>,
    text: &'s str,
    root: Value,
) -> Result<String, Error> {
    check_tokens(text, false)?;
    let parsed = parse(text, "<string>", SyntaxConfig::default())?;
    let mut generator = CodeGenerator::new("<string>", text);
    generator.compile_stmt(&parsed);
    let (mut instructions, mut blocks): (_, Blocks<'s>) = generator.finish();
    meter(&mut instructions)?;
    for block in blocks.values_mut() {
        meter(block)?;
    }
    let mut written = String::new();
    eval(
        environment,
        &instructions,
        root,
        &blocks,
        &mut make_string_output(&mut written),
        AutoEscape::None,
    )?;
    Ok(written)
}

/// Refuses what would cost before anything is evaluated: thousands of nested operators, and the multiplication of a text
/// that is written out, which the compiler carries out itself.
fn check_tokens(text: &str, in_expression: bool) -> Result<(), Error> {
    // A word or sign is a byte at least.
    if text.len() <= MAX_TOKENS && !text.contains('*') {
        return Ok(());
    }
    let mut tokens = Vec::new();
    for token in tokenize(text, in_expression, SyntaxConfig::default()) {
        let Ok((token, _)) = token else {
            // The parser says the same with its place.
            break;
        };
        if tokens.len() == MAX_TOKENS {
            return Err(Error::new(
                ErrorKind::OutOfFuel,
                format!("the template has more than {MAX_TOKENS} words and signs"),
            ));
        }
        tokens.push(token);
    }
    let multiplies_text = tokens.iter().enumerate().any(|(at, token)| {
        matches!(token, Token::Mul)
            && (is_written_out(&tokens[..at], true) || is_written_out(&tokens[at + 1..], false))
    });
    match multiplies_text {
        true => Err(not_a_number()),
        false => Ok(()),
    }
}

/// Only numbers are multiplied.
pub(super) fn not_a_number() -> Error {
    Error::new(
        ErrorKind::InvalidOperation,
        "`*` multiplies numbers; a text is not repeated",
    )
}

/// Whether the operand that ends, or begins, these tokens is a text or list that is written out.
fn is_written_out(tokens: &[Token<'_>], ends: bool) -> bool {
    let near = if ends { tokens.last() } else { tokens.first() };
    match (near, ends) {
        (Some(Token::Str(_) | Token::String(_)), _) => true,
        (Some(Token::BracketOpen | Token::BraceOpen), false) => true,
        (Some(Token::ParenOpen), false) => holds_text(&tokens[..closing(tokens.iter())]),
        (Some(Token::Plus | Token::Minus), false) => is_written_out(&tokens[1..], false),
        (Some(Token::ParenClose | Token::BracketClose | Token::BraceClose), true) => {
            let inside = closing(tokens.iter().rev());
            let (before, inside) = tokens.split_at(tokens.len() - inside);
            // Behind a name it is a call or a look-up, which is known when it is evaluated.
            let follows = matches!(
                before.last(),
                Some(Token::Ident(_) | Token::ParenClose | Token::BracketClose)
            );
            let is_group = matches!(inside.first(), Some(Token::ParenOpen));
            !follows && (!is_group || holds_text(inside))
        }
        _ => false,
    }
}

fn holds_text(tokens: &[Token<'_>]) -> bool {
    tokens.iter().any(|token| {
        matches!(
            token,
            Token::Str(_) | Token::String(_) | Token::BracketOpen | Token::BraceOpen | Token::Comma
        )
    })
}

/// How many tokens there are up to the bracket that closes, or opens, the first one.
fn closing<'a, 's: 'a>(tokens: impl Iterator<Item = &'a Token<'s>>) -> usize {
    let mut depth = 0_i32;
    let mut count = 0;
    let mut first_opens = None;
    for token in tokens {
        count += 1;
        let step = match token {
            Token::ParenOpen | Token::BracketOpen | Token::BraceOpen => 1,
            Token::ParenClose | Token::BracketClose | Token::BraceClose => -1,
            _ => continue,
        };
        depth += step * *first_opens.get_or_insert(step);
        if depth == 0 {
            break;
        }
    }
    count
}

/// Rewrites what is not counted; what cannot be counted is refused.
fn meter(instructions: &mut Instructions<'_>) -> Result<(), Error> {
    let refuse = |what: &str| {
        Err(Error::new(
            ErrorKind::InvalidOperation,
            format!("{what} cannot be used in a plan"),
        ))
    };
    let mut text = 0;
    let mut repeats = false;
    let mut at = 0;
    while let Some(instruction) = instructions.get_mut(at) {
        at += 1;
        let (name, operands) = match instruction {
            Instruction::Add => ("+", Some(2)),
            Instruction::Sub => ("-", Some(2)),
            Instruction::Mul => ("*", Some(2)),
            Instruction::Pow => ("**", Some(2)),
            Instruction::Rem => ("%", Some(2)),
            Instruction::StringConcat => ("~", Some(2)),
            Instruction::Eq => ("==", Some(2)),
            Instruction::Ne => ("!=", Some(2)),
            Instruction::Lt => ("<", Some(2)),
            Instruction::Lte => ("<=", Some(2)),
            Instruction::Gt => (">", Some(2)),
            Instruction::Gte => (">=", Some(2)),
            Instruction::In => ("in", Some(2)),
            Instruction::Slice => ("[:]", Some(4)),
            Instruction::BuildList(count) | Instruction::BuildTuple(count) => {
                match count.map(u16::try_from) {
                    Some(Ok(count)) => ("[]", Some(count)),
                    _ => return refuse("unpacking with `*`"),
                }
            }
            Instruction::BuildMap(pairs) => match u16::try_from(*pairs * 2) {
                Ok(operands) => (MAP, Some(operands)),
                Err(_) => return refuse("a map this large"),
            },
            Instruction::CompareAndPreserve(_) => {
                return refuse("a chain of comparisons; join two of them with `and`: it");
            }
            Instruction::MergeKwargs(_) | Instruction::UnpackLists(_) => {
                return refuse("unpacking with `*`");
            }
            Instruction::Include(_) | Instruction::LoadBlocks | Instruction::CallBlock(_) => {
                return refuse("another template");
            }
            Instruction::EmitRaw(raw) => {
                text += raw.len();
                continue;
            }
            Instruction::Iterate(_) | Instruction::BuildMacro(..) => {
                repeats = true;
                continue;
            }
            _ => continue,
        };
        // No cache: the slots belong to the names that the compiler has seen.
        *instruction = Instruction::ApplyFilter(name, operands, u8::MAX);
    }
    match repeats && text > MAX_REPEATED_TEXT {
        true => Err(super::meter::too_large()),
        false => Ok(()),
    }
}
