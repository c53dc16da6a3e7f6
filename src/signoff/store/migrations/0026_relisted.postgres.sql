-- A vote that was delegated to somebody who then delegated their own was in nobody's list: the index is filled again.

delete from worklist;
