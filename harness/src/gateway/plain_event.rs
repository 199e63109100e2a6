//! Events that can be passed on as they came: lines of data, id and name with line feeds. Most streams have no others.

/// A whole event at the beginning of some bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PlainEvent<'a> {
    /// Length of the event, with the empty line at its end; bytes.
    pub(super) length: usize,
    pub(super) has_id: bool,
    /// Its fields, if it has one line of data, and at most one id and one name.
    pub(super) fields: Option<EventFields<'a>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct EventFields<'a> {
    pub(super) id: Option<&'a str>,
    /// Its name; `message` where it has none.
    pub(super) name: &'a str,
    pub(super) data: &'a str,
}

/// The event at the beginning, if it is plain: whole, with data, within the limit, and text.
pub(super) fn plain_event(bytes: &[u8], event_bytes_max: usize) -> Option<PlainEvent<'_>> {
    let (mut from, mut is_simple) = (0, true);
    let [mut data, mut id, mut name] = [None::<&[u8]>; 3];
    for end in memchr::memchr_iter(b'\n', bytes) {
        let line = &bytes[from..end];
        from = end + 1;
        if line.is_empty() {
            let data = data.filter(|_| end <= event_bytes_max)?;
            let text = std::str::from_utf8;
            text(&bytes[..end]).ok()?;
            let fields = || {
                let name = name.map_or(Ok("message"), text);
                Some(EventFields { id: id.map(text).transpose().ok()?, name: name.ok()?, data: text(data).ok()? })
            };
            let fields = is_simple.then(fields).flatten();
            return Some(PlainEvent { length: from, has_id: id.is_some(), fields });
        }
        let (field, value, may_be_empty) = match line {
            [b'd', b'a', b't', b'a', b':', value @ ..] => (&mut data, value, true),
            [b'i', b'd', b':', value @ ..] => (&mut id, value, false),
            [b'e', b'v', b'e', b'n', b't', b':', value @ ..] => (&mut name, value, false),
            _ => return None,
        };
        let value = value.strip_prefix(b" ").unwrap_or(value);
        if (value.is_empty() && !may_be_empty) || memchr::memchr2(b'\r', b'\0', value).is_some() {
            return None;
        }
        is_simple &= field.replace(value).is_none();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields<'a>(id: Option<&'a str>, name: &'a str, data: &'a str) -> Option<EventFields<'a>> {
        Some(EventFields { id, name, data })
    }

    #[test]
    fn an_event_of_data_id_and_name_is_plain() {
        let text = b"id: 7\nevent:log\ndata: {\"a\": 1}\n\ndata: x\n\n";
        let first = plain_event(text, 1_000).unwrap();
        assert_eq!((fields(Some("7"), "log", "{\"a\": 1}"), true), (first.fields, first.has_id));
        let second = plain_event(&text[first.length..], 1_000).unwrap();
        assert_eq!((fields(None, "message", "x"), false), (second.fields, second.has_id));
        assert_eq!(text.len(), first.length + second.length);
        let several = plain_event(b"data: a\ndata: b\nid: 1\n\n", 1_000).unwrap();
        assert_eq!((None, true, 23), (several.fields, several.has_id, several.length));
    }

    #[test]
    fn what_the_format_treats_otherwise_is_not_plain() {
        for text in [
            "data: x\n",
            "\n",
            "id: 1\n\n",
            ":\ndata: x\n\n",
            "data: x\r\n\r\n",
            "id:\ndata: x\n\n",
            "id: a\0\ndata: x\n\n",
            "event:\ndata: x\n\n",
            "data\n\n",
            "retry: 7\ndata: x\n\n",
            "foo: 1\ndata: x\n\n",
            "data: 0123456789\n\n",
        ] {
            assert_eq!(None, plain_event(text.as_bytes(), 15), "{text:?}");
        }
        assert_eq!(None, plain_event(b"data: \xff\n\n", 1_000));
    }
}
