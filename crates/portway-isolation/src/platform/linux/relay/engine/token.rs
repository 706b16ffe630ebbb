//! The number in an event, which says what it is about.

use rustix::event::epoll;

/// What an event is about. The number identifies one of several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token {
    Wake,
    Helper,
    Outbound,
    Forward(u32),
    Client(u32),
    Target(u32),
    Session(u32),
}

impl Token {
    pub(super) fn data(self) -> epoll::EventData {
        let (tag, id) = match self {
            Self::Wake => (0, 0),
            Self::Helper => (1, 0),
            Self::Outbound => (2, 0),
            Self::Forward(id) => (3, id),
            Self::Client(id) => (4, id),
            Self::Target(id) => (5, id),
            Self::Session(id) => (6, id),
        };
        epoll::EventData::new_u64(tag << 32 | u64::from(id))
    }

    pub(super) fn of(data: epoll::EventData) -> Option<Self> {
        let id = (data.u64() & u64::from(u32::MAX)) as u32;
        match data.u64() >> 32 {
            0 => Some(Self::Wake),
            1 => Some(Self::Helper),
            2 => Some(Self::Outbound),
            3 => Some(Self::Forward(id)),
            4 => Some(Self::Client(id)),
            5 => Some(Self::Target(id)),
            6 => Some(Self::Session(id)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_survives_the_way_through_an_event() {
        for token in [
            Token::Wake,
            Token::Helper,
            Token::Outbound,
            Token::Forward(7),
            Token::Client(u32::MAX),
            Token::Target(0),
            Token::Session(1),
        ] {
            assert_eq!(Token::of(token.data()), Some(token));
        }
        assert_eq!(Token::of(epoll::EventData::new_u64(u64::MAX)), None);
    }
}
