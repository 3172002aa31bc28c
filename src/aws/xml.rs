//! Answers in XML, as far as they are read: elements, and the text in them.

use quick_xml::Reader;
use quick_xml::events::Event;

/// An element.
#[derive(Clone, Debug, Default)]
pub(super) struct Element {
    name: String,
    text: String,
    children: Vec<Element>,
}

impl Element {
    /// The root of a document; none where it is not XML.
    pub(super) fn read(text: &str) -> Option<Self> {
        /// No answer is nested deeper.
        const DEPTH: usize = 32;
        let mut reader = Reader::from_str(text);
        let mut open: Vec<Self> = vec![Self::default()];
        loop {
            match reader.read_event().ok()? {
                Event::Start(start) if open.len() < DEPTH => {
                    let name = String::from_utf8_lossy(start.local_name().as_ref()).into_owned();
                    open.push(Self {
                        name,
                        ..Self::default()
                    });
                }
                Event::Start(_) => return None,
                Event::Empty(empty) => {
                    let name = String::from_utf8_lossy(empty.local_name().as_ref()).into_owned();
                    open.last_mut()?.children.push(Self {
                        name,
                        ..Self::default()
                    });
                }
                Event::End(_) => {
                    let done = open.pop()?;
                    open.last_mut()?.children.push(done);
                }
                Event::Text(part) => open.last_mut()?.text.push_str(&part.decode().ok()?),
                Event::CData(part) => open.last_mut()?.text.push_str(&part.decode().ok()?),
                Event::GeneralRef(name) => {
                    let name = name.decode().ok()?;
                    let escaped = format!("&{name};");
                    let character = quick_xml::escape::unescape(&escaped).ok()?;
                    open.last_mut()?.text.push_str(&character);
                }
                Event::Eof => break,
                _ => {}
            }
        }
        match open.len() {
            1 => open.pop()?.children.pop(),
            _ => None,
        }
    }

    /// The first element of a name in it.
    pub(super) fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    /// Its text, where it is there.
    pub(super) fn text_of(&self, name: &str) -> Option<String> {
        self.child(name).map(|child| child.text.trim().to_owned())
    }

    /// The members of a list in it.
    pub(super) fn members(&self, name: &str) -> impl Iterator<Item = &Self> {
        let list = self.child(name).into_iter();
        list.flat_map(|list| list.children.iter().filter(|child| child.name == "member"))
    }

    /// Its own text.
    pub(super) fn text(&self) -> &str {
        self.text.trim()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_answer_holds() {
        let text = "<?xml version=\"1.0\"?><A xmlns=\"x\"><L><member><B>1 &amp; 2&#x41;</B></member>\n<member/></L><E/></A>";
        let root = Element::read(text).unwrap();
        let members: Vec<&Element> = root.members("L").collect();
        assert_eq!(members.len(), 2);
        assert_eq!(members[0].text_of("B").as_deref(), Some("1 & 2A"));
        assert_eq!(root.text_of("E").as_deref(), Some(""));
        assert_eq!(root.text_of("F"), None);
        for broken in ["", "<A>", "<A></B>", "text", "{}"] {
            assert!(Element::read(broken).is_none(), "{broken}");
        }
        assert!(Element::read(&"<a>".repeat(100_000)).is_none());
    }
}
