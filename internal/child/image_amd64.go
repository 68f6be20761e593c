package child

const imageMachine = 62 // EM_X86_64

// imageCode calls exit_group(93), then exit(93), and then is no instruction.
const imageCode = "\xb8\xe7\x00\x00\x00" + // mov eax, 231
	"\xbf\x5d\x00\x00\x00" + // mov edi, 93
	"\x0f\x05" + // syscall
	"\xb8\x3c\x00\x00\x00" + // mov eax, 60
	"\xbf\x5d\x00\x00\x00" + // mov edi, 93
	"\x0f\x05" + // syscall
	"\x0f\x0b" // ud2
