package child

const imageMachine = 183 // EM_AARCH64

// imageCode calls exit_group(93), then exit(93), and then is no instruction.
const imageCode = "\xc8\x0b\x80\xd2" + // mov x8, 94
	"\xa0\x0b\x80\xd2" + // mov x0, 93
	"\x01\x00\x00\xd4" + // svc 0
	"\xa8\x0b\x80\xd2" + // mov x8, 93
	"\xa0\x0b\x80\xd2" + // mov x0, 93
	"\x01\x00\x00\xd4" + // svc 0
	"\x00\x00\x00\x00" // udf 0
