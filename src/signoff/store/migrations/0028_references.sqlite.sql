-- The message below whose card somebody replied in a chat.
create index messages_by_reference on messages (reference) where reference <> '';
