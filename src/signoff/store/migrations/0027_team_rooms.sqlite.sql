-- What a team is asked is also sent to its room in a chat and to its shared mailbox.
alter table teams add column channel text not null default '';
alter table teams add column mailbox text not null default '';
