-- What a team is asked is also sent to its room in a chat and to its shared mailbox.
alter table teams add column channel text collate "C" not null default '';
alter table teams add column mailbox text collate "C" not null default '';
