-- What a person was shown of a task by their key: an answer that names neither task, stage nor revision is for that.
create table showings (
    intent_id text collate "C" not null,
    person text collate "C" not null,
    visit integer not null,
    stage integer not null,
    revision integer not null,
    primary key (intent_id, person, visit, stage, revision)
);
